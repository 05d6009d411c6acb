"""Writes the pages of the site's reference that nobody writes by hand: scripts/reference.py FOLDER

programs.md and exit-codes.md are what the programs answer to --help, http-api.md is what `serve openapi` prints, and
files.md is dvc.yaml. The programs are those that scripts/stage runs: HOUNSFIELD_PROGRAMS names a folder of built ones.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PROJECT = Path(__file__).resolve().parents[1]
Json = dict[str, Any]
Row = tuple[str, ...]

# The tool, the stages in their order, and what works on their result. program-digest belongs to the source tree.
TOOL = "hounsfield"
STAGES = ("ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate")
BESIDE = ("ensemble", "register", "mlflow-sync", "serve", "predict")
SOURCE_TREE = ("program-digest",)

PROGRAMS_HEAD = """\
Each program answers to `--help`, and this page is those answers. The installed tool runs `hounsfield train`, the
source tree `scripts/stage train`.
"""
HTTP_API_HEAD = """\
This page is what `hounsfield serve openapi` prints. A running server shows the same under `/docs/`, and
[The prediction server](serving.md) explains it.
"""
FILES_HEAD = """\
`dvc.yaml` names every file and folder that the stages exchange, and the keys that they depend on. This page is made
from it. [Architecture](architecture.md#the-path-of-the-data) says what each file holds, and which files DVC does not
track. [Configuration](configuration.md) explains the keys.
"""

# What a page of the site shows without a scroll bar.
PAGE_COLUMNS = 84
EXIT_CODES = re.compile(r"^Exit codes:(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)


class Help(NamedTuple):
    """What a program, or a command of one, answers to --help, and what that says of exit codes."""

    command: str
    text: str
    exit_codes: dict[int, str]


def output_of(program: str, *arguments: str, columns: int = PAGE_COLUMNS) -> str:
    """What a program prints, as wide as a page."""
    done = subprocess.run(
        [PROJECT / "scripts/stage", program, *arguments], cwd=PROJECT, env=os.environ | {"COLUMNS": str(columns)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(f"reference: {program} {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def commands_in(text: str) -> list[str]:
    """The commands that a help text lists, but for help itself."""
    section = re.search(r"^Commands:\n((?:[ \t]+\S.*\n|\n)+)", text, re.MULTILINE)
    names = re.findall(r"^  ([a-z][a-z0-9-]*)", section[1], re.MULTILINE) if section else []
    return [name for name in names if name != "help"]


def exit_codes_in(text: str) -> dict[int, str]:
    """What a help text says of exit codes, in one line or in one line each."""
    section = EXIT_CODES.search(text)
    if section is None:
        return {}
    said = " ".join(section[1].split()).rstrip(".")
    pieces = re.split(r"(?:^|(?<=[,;] )|(?<=[^,;] ))(\d)\s+(?=[a-z])", said)
    return {
        int(code): meaning.strip().rstrip(",;").strip()
        for code, meaning in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def help_of(program: str, *command: str) -> Help:
    """What a program, or a command of one, answers to --help."""
    text = output_of(program, *command, "--help")
    # Where no line is broken, what stands in one is found.
    unbroken = output_of(program, *command, "--help", columns=10_000)
    return Help(" ".join([program, *command]), text, exit_codes_in(unbroken))


def helps_of(program: str) -> Iterator[Help]:
    """The help of a program, then of each of its commands that is no program itself."""
    first = help_of(program)
    yield first
    for command in commands_in(first.text):
        if command not in (*STAGES, *BESIDE, *SOURCE_TREE):
            yield help_of(program, command)


def as_typed(command: str) -> str:
    """A program or a command of one as it is typed."""
    if command == TOOL or command.startswith(f"{TOOL} "):
        return command
    if command in SOURCE_TREE:
        return f"scripts/stage {command}"
    return f"{TOOL} {command}"


def programs_page(groups: dict[str, list[Help]]) -> str:
    """Every program with its help text."""
    parts = [
        "# Programs\n",
        PROGRAMS_HEAD,
    ]
    for title, helps in groups.items():
        parts.append(f"## {title}\n")
        for help_text in helps:
            typed = as_typed(help_text.command)
            parts += [f"### {help_text.command}\n", f"```text\n$ {typed} --help\n{help_text.text.rstrip()}\n```\n"]
    return "\n".join(parts)


def exit_codes_page(helps: list[Help]) -> str:
    """A table of what each program's exit codes mean."""
    found = {program.command: program.exit_codes for program in helps}
    # A command of a program may leave them to the program.
    silent = [command for command, codes in found.items() if not codes and " " not in command]
    if silent:
        raise SystemExit(f"reference: no exit codes in the --help of {', '.join(silent)}")
    # Programs that say the same share a row.
    alike: dict[tuple[tuple[int, str], ...], list[str]] = {}
    for command, codes in found.items():
        if codes:
            link = f"[`{command}`](programs.md#{command.replace(' ', '-')})"
            alike.setdefault(tuple(sorted(codes.items())), []).append(link)
    columns = sorted({code for codes in found.values() for code in codes})
    rows = [
        (", ".join(commands), *(dict(codes).get(column, "") for column in columns)) for codes, commands in alike.items()
    ]
    return (
        "# Exit codes\n\n"
        "This table is what the `--help` of each program says. `make` has exit codes of its own.\n\n"
        + table(("programs", *map(str, columns)), rows)
    )


def words_of(kinds: list[str], schema: Json) -> list[str]:
    """What a schema without alternatives is, but for null."""
    if "const" in schema:
        return [f"`{schema['const']}`"]
    if values := schema.get("enum"):
        return [", ".join(f"`{value}`" for value in values if value is not None)]
    if "prefixItems" in schema:
        return [f"list of {', then '.join(name_of(one) for one in schema['prefixItems'])}"]
    if "array" in kinds:
        return [f"list of {name_of(schema.get('items', {}))}"]
    if "object" in kinds and isinstance(schema.get("additionalProperties"), dict):
        return [f"object of {name_of(schema['additionalProperties'])}"]
    if "object" in kinds and schema.get("properties"):
        return [f"object of {', '.join(f'`{field}`: {name_of(one)}' for field, one in schema['properties'].items())}"]
    return [one for one in kinds if one != "null"]


def name_of(schema: Json | bool) -> str:
    """A schema in a few words, with a link where it has a name."""
    if isinstance(schema, bool):
        return "any"
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    for union, word in (("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")):
        if union in schema:
            return word.join(dict.fromkeys(name_of(one) for one in schema[union]))
    kind = schema.get("type", "any")
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(words_of(kinds, schema) + (["null"] if "null" in kinds else []))


def in_a_cell(text: str | None) -> str:
    """Text for one cell of a table."""
    return " ".join((text or "").split()).replace("|", "\\|")


def table(heading: Row, rows: Sequence[Row]) -> str:
    """A table, or nothing where it has no rows."""
    if not rows:
        return ""
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def contents_of(holder: Json) -> list[tuple[str, str]]:
    """The media types of a body, each with its schema; of a file it is its bytes."""
    found = []
    for kind, content in holder.get("content", {}).items():
        schema = content.get("schema")
        is_file = kind == "application/octet-stream" or kind.startswith("image/")
        found.append((f"`{kind}`", "file" if is_file else name_of(schema) if schema else ""))
    return found


def meaning_of(status: str) -> str:
    """What a status of HTTP is called."""
    if status.isdigit():
        return HTTPStatus(int(status)).phrase
    return {"4XX": "The request is at fault", "5XX": "The server is at fault"}.get(status, "")


def operation_text(method: str, path: str, operation: Json) -> str:
    """One route."""
    parts = [f"### {method.upper()} `{path}`\n\n"]
    parts += [f"{text.strip()}\n\n" for key in ("summary", "description") if (text := operation.get(key))]
    if operation.get("security"):
        parts.append("Needs a key, where the server has keys.\n\n")
    parts.append(
        table(
            ("parameter", "in", "type", "meaning"),
            [
                (
                    f"`{one['name']}`",
                    one["in"],
                    name_of(one.get("schema", {})),
                    in_a_cell(one.get("description")),
                )
                for one in operation.get("parameters", [])
            ],
        )
    )
    if body := operation.get("requestBody"):
        parts.append(table(("body", "content"), contents_of(body)))
    answers = []
    for status, answer in operation.get("responses", {}).items():
        content = "; ".join(f"{kind} {schema}".strip() for kind, schema in contents_of(answer))
        answers.append((status, in_a_cell(answer.get("description")) or meaning_of(status), content))
    parts.append(table(("status", "meaning", "content"), answers))
    return "".join(parts)


def schema_text(name: str, schema: Json) -> str:
    """One schema, with its fields."""
    parts = [f"### {name}\n\n"]
    if description := schema.get("description"):
        parts.append(f"{description.strip()}\n\n")
    required = schema.get("required", [])
    fields = [
        (
            f"`{field}`" + ("" if field in required else ", optional"),
            name_of(one),
            in_a_cell(one.get("description")),
        )
        for field, one in schema.get("properties", {}).items()
    ]
    if fields:
        parts.append(table(("field", "type", "meaning"), fields))
    else:
        parts.append(f"{name_of(schema)}\n\n")
    return "".join(parts)


def http_api_page(api: Json) -> str:
    """The description of the server's API, by tag."""
    parts = [
        "# HTTP API\n\n",
        f"{api['info'].get('description', '').strip()}\n\n",
        f"Version {api['info']['version']}. {HTTP_API_HEAD}\n",
    ]
    routes = [
        (method, path, operation)
        for path, item in api["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "delete", "patch"}
    ]
    for tag in api.get("tags", []):
        parts.append(f"## {tag.get('description', tag['name'])}\n\n")
        parts += [operation_text(*route) for route in routes if tag["name"] in route[2].get("tags", [])]
    tagged = {tag["name"] for tag in api.get("tags", [])}
    if left := [
        f"{method} {path}" for method, path, operation in routes if not tagged & set(operation.get("tags", []))
    ]:
        raise SystemExit(f"reference: routes without a tag: {', '.join(left)}")
    parts.append("## Schemas\n\n")
    parts += [schema_text(name, schema) for name, schema in api["components"]["schemas"].items()]
    return "".join(parts)


def listed(values: list[Any]) -> str:
    """Paths or keys, one after the other."""
    return ", ".join(f"`{next(iter(value)) if isinstance(value, dict) else value}`" for value in values) or "none"


def params_of(stage: Json) -> list[str]:
    """The keys that a stage depends on."""
    keys: list[str] = []
    for one in stage.get("params", []):
        keys += [key for file in one.values() for key in file] if isinstance(one, dict) else [one]
    return keys


def files_page(pipeline: Json) -> str:
    """What dvc.yaml says of each stage."""
    parts = ["# Files on disk\n\n", f"{FILES_HEAD}\n"]
    for name, stage in pipeline["stages"].items():
        outs = stage.get("outs", []) + stage.get("metrics", []) + stage.get("plots", [])
        parts += [f"## {name}\n\n", f"{stage['desc']}\n\n" if stage.get("desc") else ""]
        parts.append(
            f"- **Reads** {listed(stage.get('deps', []))}\n"
            f"- **Depends on the keys** {listed(params_of(stage))}\n"
            f"- **Writes** {listed(outs)}\n\n"
        )
    return "".join(parts)


def write_reference(folder: Path) -> None:
    """Writes the generated pages to FOLDER."""
    groups = {
        "The tool": list(helps_of(TOOL)),
        "The stages": [one for program in STAGES for one in helps_of(program)],
        "Beside the pipeline": [one for program in BESIDE for one in helps_of(program)],
        "In the source tree": [one for program in SOURCE_TREE for one in helps_of(program)],
    }
    pages = {
        "programs.md": programs_page(groups),
        "exit-codes.md": exit_codes_page([one for helps in groups.values() for one in helps]),
        "http-api.md": http_api_page(json.loads(output_of("serve", "openapi"))),
        "files.md": files_page(yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))),
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    write_reference(Path(sys.argv[1]))
