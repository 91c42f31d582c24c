// Joins the metrics of several applications in the text format of Prometheus. The format wants all
// samples of a metric together, below one description.

interface Family {
  readonly comments: readonly string[];
  readonly samples: string[];
}

/** Adds the label `application` to each sample. */
export function mergedMetrics(
  texts: readonly { readonly name: string; readonly text: string }[],
): string {
  const families = new Map<string, Family>();
  for (const { name, text } of texts) {
    let family: Family = { comments: [], samples: [] };
    let comments: string[] = [];
    for (const line of text.split("\n").filter(Boolean)) {
      if (line.startsWith("#")) {
        comments.push(line);
        continue;
      }
      // The comments of a metric come before its samples: they begin a family.
      if (comments.length > 0) {
        const [, , metric = ""] = comments[0]?.split(" ") ?? [];
        family = families.get(metric) ?? { comments, samples: [] };
        families.set(metric, family);
        comments = [];
      }
      family.samples.push(labelled(line, name));
    }
  }
  const lines = [...families.values()].flatMap((each) => [...each.comments, ...each.samples]);
  return `${lines.join("\n")}\n`;
}

/** An application's name has no blanks; quotes and backslashes are escaped. */
function labelled(sample: string, application: string): string {
  const label = `application="${application.replace(/["\\]/g, "\\$&")}"`;
  const at = sample.search(/[{ ]/);
  const [metric, rest] = [sample.slice(0, at), sample.slice(at)];
  return rest.startsWith("{")
    ? `${metric}{${label},${rest.slice(1)}`
    : `${metric}{${label}}${rest}`;
}
