//! Data that the client writes to a real server, read back through MLflow's own Python client.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

mod support;

use std::fs;

use mlflow::{
    Alias, ArtifactKind, ArtifactPath, Batch, Client, Dataset, DatasetFields, ExperimentChoice,
    ExperimentId, Key, LoggedModel, LoggedModelStatus, Mark, Metric, ModelName, ModelReference,
    NewLoggedModel, NewModelVersion, NewRun, Param, Run, RunId, RunStatus, Tag, Timestamp,
};
use serde_json::json;
use support::proxy::{Fault, FaultyProxy};
use support::python::Python;
use support::server::MlflowServer;
use support::settings;

/// Starting a server takes many seconds, so the parts of this test share one.
#[test]
fn python_reads_back_what_the_client_wrote() {
    let mut server = MlflowServer::start();
    let mut python = Python::start(&server.url());
    server.wait();
    let proxy = FaultyProxy::start(server.port());
    let client = Client::new(&settings(&server.url(), &[])).unwrap();
    assert_eq!(client.server_info().unwrap().store_type.as_deref(), Some("SqlStore"));

    let experiment = client.experiment(&ExperimentChoice::Name("Prüfung 1".into())).unwrap();
    experiments_are_found_or_created(&client, &experiment, &mut python);
    let run = new_run(&client, &experiment, "first");
    values_of_every_kind_arrive(&client, &run, &mut python);
    datasets_are_inputs_once(&client, &run, &mut python);
    runs_are_updated_and_found(&client, &run, &experiment);
    artifacts_of_any_size_arrive(&client, &run, &mut python);
    a_folder_that_is_shared_is_written_directly(&client, &mut python);
    let model = a_model_is_logged_and_registered(&client, &run, &experiment, &mut python);
    a_version_is_downloaded_as_it_was_uploaded(&client);
    what_makes_something_new_makes_it_once(&proxy, &experiment, &model, &mut python);
    refusals_say_what_is_wrong(&server, &client, &run);
}

fn new_run(client: &Client, experiment: &ExperimentId, name: &str) -> Run {
    let run = NewRun {
        experiment: experiment.clone(),
        name: Some(name.into()),
        start: Timestamp(1_700_000_000_000),
        tags: vec![tag("mlflow.user", "ada")],
        mark: Mark::new(),
    };
    client.create_run(&run).unwrap()
}

fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

fn tag(name: &str, value: &str) -> Tag {
    Tag::new(key(name), value)
}

fn path(path: &str) -> ArtifactPath {
    ArtifactPath::new(path).unwrap()
}

fn experiments_are_found_or_created(client: &Client, id: &ExperimentId, python: &mut Python) {
    let again = client.experiment(&ExperimentChoice::Name("Prüfung 1".into())).unwrap();
    assert_eq!(&again, id);
    let found = python.run("result = client.get_experiment_by_name('Prüfung 1').experiment_id");
    assert_eq!(found, id.as_str());
    let kind = python
        .run("result = client.get_experiment_by_name('Prüfung 1').tags['mlflow.experimentKind']");
    assert_eq!(kind, "custom_model_development");
    assert_eq!(client.experiment(&ExperimentChoice::Unspecified).unwrap().as_str(), "0");

    python.run("client.delete_experiment(client.create_experiment('gone'))");
    let gone = client.experiment(&ExperimentChoice::Name("gone".into())).unwrap_err();
    assert!(gone.to_string().contains("was deleted"), "{gone}");
}

fn values_of_every_kind_arrive(client: &Client, run: &Run, python: &mut Python) {
    let numbered =
        (0..100).map(|number| Param::new(key(&format!("p/{number}")), number.to_string()));
    let long = [
        Param::new(key("exactly 6000"), "ß".repeat(6000)),
        Param::new(key("too long"), "ß".repeat(6001)),
        Param::new(key("Größe: µm"), "損失 🙂"),
        Param::new(key("empty"), ""),
    ];
    let point = |name: &str, value: f64, step: i64| Metric {
        key: key(name),
        value,
        timestamp: Timestamp(1_700_000_000_000 + step),
        step,
    };
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1 + 0.2, 5e-324];
    let mut metrics: Vec<Metric> = (0..10_000)
        .map(|step| point("Verlust/train", f64::from(step) / 3.0, step.into()))
        .collect();
    metrics.extend((0..).zip(odd).map(|(step, value)| point("odd", value, step)));
    let batch = Batch {
        metrics,
        params: numbered.chain(long).collect(),
        tags: vec![tag("ключ", "значение"), tag("exactly 8000", &"x".repeat(8000))],
    };
    client.log_batch(&run.id, &batch).unwrap();
    // Safe to repeat.
    client.log_batch(&run.id, &batch).unwrap();

    let id = &run.id;
    let read = python.run(&format!(
        "run = client.get_run('{id}')\n\
         history = client.get_metric_history('{id}', 'Verlust/train')\n\
         odd = client.get_metric_history('{id}', 'odd')\n\
         result = dict(\n\
         params=run.data.params, tags=run.data.tags, user=run.info.user_id,\n\
         name=run.info.run_name, start=run.info.start_time,\n\
         history=[(m.step, m.value, m.timestamp) for m in history],\n\
         odd=[repr(m.value) for m in sorted(odd, key=lambda m: m.step)])"
    ));
    assert_eq!(read["name"], "first");
    assert_eq!(read["user"], "ada");
    assert_eq!(read["start"], 1_700_000_000_000_i64);
    let params = read["params"].as_object().unwrap();
    assert_eq!(params.len(), 104);
    for number in 0..100 {
        assert_eq!(params[&format!("p/{number}")], number.to_string());
    }
    assert_eq!(params["exactly 6000"], "ß".repeat(6000));
    let cut = params["too long"].as_str().unwrap();
    assert!(cut.chars().count() == 6000 && cut.ends_with("ß… [cut: 6001 characters]"));
    assert_eq!(params["Größe: µm"], "損失 🙂");
    assert_eq!(params["empty"], "");
    assert_eq!(read["tags"]["ключ"], "значение");
    assert_eq!(read["tags"]["exactly 8000"], "x".repeat(8000));
    let expected: Vec<_> = (0..10_000)
        .map(|step| json!([step, f64::from(step) / 3.0, 1_700_000_000_000_i64 + i64::from(step)]))
        .collect();
    assert_eq!(read["history"].as_array().unwrap(), &expected);
    // SQLite stores infinities as the largest numbers.
    let largest = "1.7976931348623157e+308";
    let minus = format!("-{largest}");
    assert_eq!(read["odd"], json!(["nan", largest, minus, "0.30000000000000004", "5e-324"]));
}

fn datasets_are_inputs_once(client: &Client, run: &Run, python: &mut Python) {
    let dataset = Dataset::new(DatasetFields {
        name: "chest CT".into(),
        digest: "0123456789ab".into(),
        source_type: "local".into(),
        source: json!({ "uri": "data/scans.zip" }).to_string(),
        profile: Some(json!({ "images": 944 }).to_string()),
        context: Some("training".into()),
        ..DatasetFields::default()
    })
    .unwrap();
    client.log_inputs(&run.id, std::slice::from_ref(&dataset)).unwrap();
    client.log_inputs(&run.id, &[dataset]).unwrap();
    let read = python.run(&format!(
        "inputs = client.get_run('{}').inputs.dataset_inputs\n\
         result = [(i.dataset.name, i.dataset.digest, i.dataset.profile,\n\
         [(t.key, t.value) for t in i.tags]) for i in inputs]",
        run.id
    ));
    let tags = [["mlflow.data.context", "training"]];
    assert_eq!(read, json!([["chest CT", "0123456789ab", "{\"images\":944}", tags]]));
}

fn runs_are_updated_and_found(client: &Client, run: &Run, experiment: &ExperimentId) {
    client.update_run(&run.id, RunStatus::Finished, Some(Timestamp(1_700_000_009_000))).unwrap();
    let read = client.run(&run.id).unwrap();
    assert_eq!((read.status, read.is_deleted), (RunStatus::Finished, false));
    assert_eq!(read.latest["Verlust/train"], (9999.0 / 3.0, 9999));
    let found = client
        .search_runs(std::slice::from_ref(experiment), "params.empty = '' and metrics.odd > -1", 10)
        .unwrap();
    assert_eq!(found.iter().map(|run| &run.id).collect::<Vec<_>>(), [&run.id]);
    let none = client.search_runs(std::slice::from_ref(experiment), "tags.a = 'b'", 10).unwrap();
    assert_eq!(none, []);
}

/// Bytes that compression cannot reduce, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).flatten().take(length).collect()
}

fn artifacts_of_any_size_arrive(client: &Client, run: &Run, python: &mut Python) {
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large.bin");
    let bytes = noise(60_000_000);
    fs::write(&large, &bytes).unwrap();

    let artifacts = client.run_artifacts(run).unwrap();
    artifacts.upload(&path("models/large.bin"), &large).unwrap();
    artifacts.upload_bytes(&path("plots/Größe 1+2 & más.txt"), "é".as_bytes()).unwrap();
    artifacts.upload_bytes(&path("empty"), b"").unwrap();
    artifacts.upload_bytes(&path("twice"), b"old").unwrap();
    artifacts.upload_bytes(&path("twice"), b"new").unwrap();

    let to = folder.path().join("python");
    let read = python.run(&format!(
        "import hashlib, pathlib\n\
         to = pathlib.Path('{}'); to.mkdir()\n\
         root = pathlib.Path(client.download_artifacts('{}', '', str(to)))\n\
         result = sorted((str(f.relative_to(root)), hashlib.sha256(f.read_bytes()).hexdigest())\n\
         for f in root.rglob('*') if f.is_file())",
        to.display(),
        run.id
    ));
    let sha256 = |bytes: &[u8]| {
        use sha2::Digest as _;
        sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let expected = json!([
        ["empty", sha256(b"")],
        ["models/large.bin", sha256(&bytes)],
        ["plots/Größe 1+2 & más.txt", sha256("é".as_bytes())],
        ["twice", sha256(b"new")],
    ]);
    assert_eq!(read, expected);

    let listed = artifacts.list(None).unwrap();
    let names: Vec<_> =
        listed.iter().map(|artifact| (artifact.path.as_str(), artifact.kind)).collect();
    let file = |bytes| ArtifactKind::File { bytes };
    let folders = ArtifactKind::Folder;
    assert_eq!(
        names,
        [("empty", file(0)), ("models", folders), ("plots", folders), ("twice", file(3))]
    );
    assert_eq!(artifacts.list(Some(&path("nowhere"))).unwrap(), []);

    let back = folder.path().join("back");
    let files = artifacts.download_all(&back).unwrap();
    assert_eq!(files.len(), 4);
    assert!(fs::read(back.join("models/large.bin")).unwrap() == bytes);
    assert_eq!(fs::read(back.join("plots/Größe 1+2 & más.txt")).unwrap(), "é".as_bytes());

    let missing = artifacts.download(&path("nowhere"), &folder.path().join("x")).unwrap_err();
    assert!(missing.to_string().contains("download the artifact"), "{missing}");
    assert!(!folder.path().join("x").exists());
}

fn a_folder_that_is_shared_is_written_directly(client: &Client, python: &mut Python) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mit Lücke");
    let id = python.run(&format!(
        "result = client.create_experiment('local', artifact_location='file://{}')",
        root.display()
    ));
    let experiment = ExperimentId::from(id.as_str().unwrap().to_owned());
    let run = new_run(client, &experiment, "local");
    let artifacts = client.run_artifacts(&run).unwrap();
    artifacts.upload_bytes(&path("a/b.txt"), b"abc").unwrap();
    let read = python.run(&format!(
        "import mlflow.artifacts\n\
         result = mlflow.artifacts.load_text('runs:/{}/a/b.txt')",
        run.id
    ));
    assert_eq!(read, "abc");
    assert_eq!(artifacts.list(Some(&path("a"))).unwrap()[0].path.as_str(), "a/b.txt");
    let to = folder.path().join("back.txt");
    assert_eq!(artifacts.download(&path("a/b.txt"), &to).unwrap(), 3);
    assert_eq!(fs::read(to).unwrap(), b"abc");
}

const NAME: &str = "Prüf modell";

/// The smallest model that Python can load and call.
const MLMODEL: &str = "\
flavors:
  python_function:
    loader_module: sum_loader
    code: code
    data: data
    python_version: 3.10.0
";
const LOADER: &str = "\
import pathlib
class Sum:
    def __init__(self, path):
        self.offset = float(pathlib.Path(path, 'offset.txt').read_text())
    def predict(self, model_input, params=None):
        return [sum(row) + self.offset for row in model_input]
def _load_pyfunc(path):
    return Sum(path)
";

fn a_model_is_logged_and_registered(
    client: &Client,
    run: &Run,
    experiment: &ExperimentId,
    python: &mut Python,
) -> LoggedModel {
    let model = client
        .create_logged_model(&NewLoggedModel {
            experiment: experiment.clone(),
            name: "classifier".into(),
            model_type: Some("classifier".into()),
            source_run: Some(run.id.clone()),
            params: vec![Param::new(key("width"), "16")],
            tags: vec![tag("data", "0123")],
            mark: Mark::new(),
        })
        .unwrap();
    assert_eq!(model.status, LoggedModelStatus::Pending);
    let files = client.model_artifacts(&model).unwrap();
    for (name, text) in
        [("MLmodel", MLMODEL), ("code/sum_loader.py", LOADER), ("data/offset.txt", "0.5")]
    {
        files.upload_bytes(&path(name), text.as_bytes()).unwrap();
    }
    client.tag_logged_model(&model.id, &[tag("scored", "yes")]).unwrap();
    client.link_logged_model(&run.id, &model.id, 6).unwrap();
    client.link_logged_model(&run.id, &model.id, 6).unwrap();
    client.finalise_logged_model(&model.id, LoggedModelStatus::Ready).unwrap();
    let model = client.logged_model(&model.id).unwrap();
    assert_eq!(model.status, LoggedModelStatus::Ready);
    assert_eq!(model.tags["scored"], "yes");
    assert_eq!(model.params["width"], "16");

    let name = ModelName::new(NAME).unwrap();
    let champion = Alias::new("champion").unwrap();
    let reference = ModelReference::Alias(name.clone(), champion.clone());
    assert_eq!(client.model_version(&reference).unwrap(), None, "there is no such model");
    client.ensure_registered_model(&name).unwrap();
    client.ensure_registered_model(&name).unwrap();
    assert_eq!(client.model_version(&reference).unwrap(), None, "there is no such alias");
    client.delete_alias(&name, &champion).unwrap();

    let version = new_version(client, &name, &model, &run.id);
    assert_eq!(version, 1);
    client.tag_model_version(&name, 1, &tag("accuracy", "0.75")).unwrap();
    client.set_alias(&name, &champion, 1).unwrap();
    let read = client.model_version(&reference).unwrap().unwrap();
    assert_eq!((read.version, read.tags["accuracy"].as_str()), (1, "0.75"));
    assert_eq!(read.aliases, ["champion"]);
    assert_eq!(read.run.as_deref(), Some(run.id.as_str()));

    let predicted = python.run(&format!(
        "import mlflow.pyfunc\n\
         model = mlflow.pyfunc.load_model('models:/{NAME}@champion')\n\
         version = client.get_model_version_by_alias('{NAME}', 'champion')\n\
         run = client.get_run('{}')\n\
         result = dict(predicted=model.predict([[1, 2], [3, 4]]), tags=version.tags,\n\
         outputs=[(o.model_id, o.step) for o in run.outputs.model_outputs])",
        run.id
    ));
    assert_eq!(predicted["predicted"], json!([3.5, 7.5]));
    assert_eq!(predicted["tags"]["accuracy"], "0.75");
    assert_eq!(predicted["outputs"], json!([[model.id.as_str(), 6]]));

    // A newer version gets the alias, and gives it back.
    assert_eq!(new_version(client, &name, &model, &run.id), 2);
    client.set_alias(&name, &champion, 2).unwrap();
    assert_eq!(client.model_version(&reference).unwrap().unwrap().version, 2);
    let versions = client.model_versions(&name).unwrap();
    assert_eq!(versions.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    client.delete_alias(&name, &champion).unwrap();
    assert_eq!(client.model_version(&reference).unwrap(), None);
    client.set_alias(&name, &champion, 1).unwrap();
    assert_eq!(client.model_version(&ModelReference::Version(name, 3)).unwrap(), None);
    model
}

fn new_version(client: &Client, name: &ModelName, model: &LoggedModel, run: &RunId) -> u64 {
    let version = NewModelVersion {
        name: name.clone(),
        model: model.id.clone(),
        run: Some(run.clone()),
        description: Some("made by a test".into()),
        tags: vec![tag("data", "0123")],
        mark: Mark::new(),
    };
    client.create_model_version(&version).unwrap().version
}

fn a_version_is_downloaded_as_it_was_uploaded(client: &Client) {
    let reference: ModelReference = format!("models:/{NAME}@champion").parse().unwrap();
    let version = client.model_version(&reference).unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = client.version_artifacts(&version).unwrap().download_all(folder.path()).unwrap();
    let names: Vec<_> = files.iter().map(ArtifactPath::as_str).collect();
    assert_eq!(names, ["MLmodel", "code/sum_loader.py", "data/offset.txt"]);
    assert_eq!(fs::read_to_string(folder.path().join("MLmodel")).unwrap(), MLMODEL);
}

/// The server does what was requested, but its answer is lost.
fn what_makes_something_new_makes_it_once(
    proxy: &FaultyProxy,
    experiment: &ExperimentId,
    model: &LoggedModel,
    python: &mut Python,
) {
    let name = ModelName::new("once").unwrap();
    let client = Client::new(&settings(&proxy.url(), &[])).unwrap();
    client.ensure_registered_model(&name).unwrap();
    let once = |make: &(dyn Fn() + Sync)| {
        proxy.set(Fault::LoseAnswers);
        std::thread::scope(|scope| {
            let making = scope.spawn(make);
            proxy.wait_for_hits(1);
            proxy.set(Fault::Pass);
            making.join().unwrap();
        });
    };
    once(&|| drop(new_run(&client, experiment, "once")));
    once(&|| {
        let new = NewLoggedModel {
            experiment: experiment.clone(),
            name: "once".into(),
            model_type: None,
            source_run: None,
            params: Vec::new(),
            tags: Vec::new(),
            mark: Mark::new(),
        };
        client.create_logged_model(&new).unwrap();
    });
    once(&|| {
        let new = NewModelVersion {
            name: name.clone(),
            model: model.id.clone(),
            run: None,
            description: None,
            tags: Vec::new(),
            mark: Mark::new(),
        };
        assert_eq!(client.create_model_version(&new).unwrap().version, 1);
    });
    let counts = python.run(&format!(
        "runs = client.search_runs(['{experiment}'], \"run_name = 'once'\")\n\
         models = client.search_logged_models(['{experiment}'], \"name = 'once'\")\n\
         versions = client.search_model_versions(\"name = 'once'\")\n\
         result = [len(runs), len(models), len(versions)]"
    ));
    assert_eq!(counts, json!([1, 1, 1]));
}

fn refusals_say_what_is_wrong(server: &MlflowServer, client: &Client, run: &Run) {
    let nobody = RunId::new("0123456789abcdef0123456789abcdef").unwrap();
    let missing = client.run(&nobody).unwrap_err();
    assert!(missing.is_missing() && !missing.is_passing(), "{missing}");
    let message = missing.to_string();
    assert!(message.contains("RESOURCE_DOES_NOT_EXIST") && !message.contains('\n'), "{message}");

    let changed = Batch { params: vec![Param::new(key("empty"), "full")], ..Batch::default() };
    let refused = client.log_batch(&run.id, &changed).unwrap_err();
    assert_eq!(refused.status(), Some(400));
    assert!(refused.to_string().contains("INVALID_PARAMETER_VALUE"), "{refused}");

    let elsewhere = format!("{}/elsewhere", client.server());
    let wrong = Client::new(&settings(&elsewhere, &[])).unwrap().run(&run.id).unwrap_err();
    assert!(wrong.to_string().contains("check MLFLOW_TRACKING_URI"), "{wrong}");

    // The server does not know this address as its own.
    let proxy = FaultyProxy::start_at("127.0.0.2", server.port());
    let host = Client::new(&settings(&proxy.url(), &[])).unwrap().run(&run.id).unwrap_err();
    assert!(host.to_string().contains("--allowed-hosts 127.0.0.2 "), "{host}");
}
