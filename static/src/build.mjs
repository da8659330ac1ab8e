// Builds static/dist: the style sheets from Sass, without rules that no template uses, the script and the
// icon; each file is named by its hash, with Brotli and gzip variants, and a manifest maps names to files.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import fastGlob from "fast-glob";
import { transform } from "lightningcss";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";
import * as sass from "sass";

const source = dirname(fileURLToPath(import.meta.url));
const root = join(source, "..", "..");
const target = join(root, "static", "dist");

// Class names that the templates of every sheet compose.
const composed = [/^nhsuk-(radios|checkboxes)(__(item|input|label))?$/, /^nhsuk-fieldset__legend--[lm]$/];
const cells = /^app-chart__cell--(empty|declined)$/;

// Spacing rules of nhsuk-frontend between elements that are never adjacent on these pages.
const unmet = /:has\(\s*\+/;

// Link rules that forced colors imply anyway.
const given = /^(link|visited|active)text$/i;

// The style sheets, each purged to what its templates use. One that is ``on`` another contains only
// selectors that the other lacks. ``named`` are class names that its templates compose, or that Python passes to them.
const fields = ["components/{consultation,errors,fields,notice}"];
const sheets = {
  "visitor.css": {
    templates: ["layouts/visitor", "components/{choices,crisis,errors,frame,icons,more_time,notice,steps}", "screener/!(summary|doctor)", "errors/{page,last_resort}"],
  },
  "summary.css": {
    templates: ["layouts/visitor", "components/{advice,charts,crisis,frame,icons,more_time,notice}", "screener/{summary,doctor}"], on: "visitor.css", named: [cells],
  },
  "consultation.css": {
    templates: [...fields, "layouts/{visitor,consultation}", "components/{crisis,frame,icons}", "callbacks/*"], on: "visitor.css",
  },
  "staff.css": {
    templates: [...fields, "layouts/staff", "components/{account_state,arrivals,callback_request,charts,columns,frequencies,generalization,hatch,icons,over_time,parts,token}", "staff/*", "callbacks/staff/*", "mail/list", "operations/*", "releases/*", "errors/staff"], named: [cells, /^app-(tag|notice|outcome)--/],
  },
};

const compiled = sass.compile(join(source, "app.scss"), {
  loadPaths: [join(source, "node_modules")], style: "compressed", quietDeps: true, charset: false, logger: sass.Logger.silent,
}).css;

// ``arrange="pair"`` becomes a class in the component; PurgeCSS sees only the word.
const words = (content) => [...(content.match(/[\w-]+/g) ?? []), ...[...content.matchAll(/arrange="(\w+)"/g)].map(([, name]) => `app-choices--${name}`)];
const extractors = [{ extensions: ["html"], extractor: words }];

async function purge({ templates, named = [] }) {
  const content = templates.map((name) => join(root, "templates", `${name}.html`));
  const missing = content.filter((pattern) => !fastGlob.sync(pattern).length);
  if (missing.length) throw new Error(`no template: ${missing.join(", ")}`);
  const [purged] = await new PurgeCSS().purge({ content, css: [{ raw: compiled }], extractors, safelist: { standard: [...composed, ...named] } });
  const sheet = postcss.parse(purged.css);
  sheet.walkRules(unmet, (rule) => rule.remove());
  sheet.walkDecls("color", (declaration) => { if (given.test(declaration.value)) declaration.remove(); });
  return sheet;
}

// Browsers receive the copyright notices and the license's name; ../../THIRD-PARTY-NOTICES holds the full text.
const notice = "/*! Contains parts of nhsuk-frontend, Copyright (c) 2019 NHS.UK, and GOV.UK Frontend, Copyright (C) 2017 Crown Copyright (Government Digital Service). MIT license. */\n";

// What a rule sets, and where: without its selectors.
const declarations = (rule) => `${rule.parent.type === "atrule" ? rule.parent.params : ""}{${rule.nodes}}`;

async function css(wanted) {
  const { on } = wanted;
  const sheet = await purge(wanted);
  if (on) {
    const there = new Map();
    (await purge(sheets[on])).walkRules((rule) => { there.set(declarations(rule), [...(there.get(declarations(rule)) ?? []), ...rule.selectors]); });
    sheet.walkRules((rule) => {
      const lacking = rule.selectors.filter((selector) => !there.get(declarations(rule))?.includes(selector));
      if (lacking.length) rule.selectors = lacking;
      else rule.remove();
    });
    sheet.walkAtRules((rule) => { if (rule.nodes && !rule.nodes.length) rule.remove(); });
  }
  return Buffer.from(notice + transform({ filename: "app.css", code: Buffer.from(sheet.toString()), minify: true }).code);
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const manifest = {};
const files = {
  ...Object.fromEntries(await Promise.all(Object.entries(sheets).map(async ([name, sheet]) => [name, await css(sheet)]))),
  "visitor.js": readFileSync(join(source, "visitor.js")),
  "staff.js": readFileSync(join(source, "staff.js")),
  "icon.svg": readFileSync(join(source, "icon.svg")),
};
for (const [name, bytes] of Object.entries(files)) {
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 10);
  const file = name.replace(/(\.\w+)$/, `.${hash}$1`);
  manifest[name] = file;
  writeFileSync(join(target, file), bytes);
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(join(target, `${file}.br`), brotli);
  writeFileSync(join(target, `${file}.gz`), gzipSync(bytes, { level: 9 }));
  console.log(`${file} ${bytes.length} bytes, ${brotli.length} brotli`);
}
writeFileSync(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
