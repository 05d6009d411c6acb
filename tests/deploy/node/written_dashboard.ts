// What a dashboard may be, by Grafana's own types, when it is written as JSON.
import type { Dashboard, FieldConfig, Panel, RowPanel, VariableModel } from "@grafana/schema";
import type * as Heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has the value of an enumeration in place of its name.
type Written<Type> = unknown extends Type
	? Type
	: Type extends string
		? string extends Type
			? string
			: `${Type}`
		: Type extends number
			? `${number}` extends `${Type}`
				? number
				: `${Type}` extends `${infer Value extends number}`
					? Value
					: never
			: Type extends object
				? { [Key in keyof Type]: Written<Type[Key]> }
				: Type;

type Query = {
	refId: string;
	datasource: { type: "prometheus"; uid: string };
	expr: string;
	legendFormat: string;
	range?: boolean;
	instant?: boolean;
	format?: "time_series" | "table" | "heatmap";
};

// Grafana leaves open what a kind of panel may hold: here it is what the kind's own types say.
type PanelOf<Kind extends string, Options, Custom> = Omit<
	Written<Panel>,
	"type" | "title" | "description" | "targets" | "options" | "fieldConfig"
> & {
	type: Kind;
	title: string;
	description: string;
	targets: Query[];
	options: Written<Options>;
	fieldConfig: {
		defaults: Omit<Written<FieldConfig>, "custom" | "thresholds"> & {
			unit: string;
			custom?: Written<Partial<Custom>>;
			// The first step has no value: JSON knows no -Infinity.
			thresholds?: { mode: "absolute"; steps: Array<{ value: number | null; color: string }> };
		};
		overrides: Array<{ matcher: { id: string; options?: unknown }; properties: Array<{ id: string; value?: unknown }> }>;
	};
};

export type WrittenDashboard = Omit<Written<Dashboard>, "panels" | "templating"> & {
	uid: string;
	panels: Array<
		| Omit<Written<RowPanel>, "panels"> & { panels: never[] }
		| PanelOf<"timeseries", Partial<TimeSeries.Options>, TimeSeries.FieldConfig>
		| PanelOf<"stat", Stat.Options, object>
		| PanelOf<"table", Partial<Table.Options>, Table.FieldConfig>
		| PanelOf<"heatmap", Heatmap.Options, Heatmap.FieldConfig>
	>;
	templating: { list: Array<Written<VariableModel>> };
};
