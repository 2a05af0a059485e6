"""How the report looks: one style for light, dark and paper; no fonts or files from outside."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f6f7; --card: #ffffff; --ink: #14212b; --soft: #566572; --line: #dbe2e6;
  --right: #0b6b80; --wrong: #bf4327; --train: #8796a1; --on: #ffffff; --band: #0b6b8033;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1418; --card: #161e24; --ink: #e4ecf0; --soft: #94a5b1; --line: #2a363f;
    --right: #56bdd2; --wrong: #f0836a; --train: #7b8c98; --on: #0a1216; --band: #56bdd240;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1120px; margin: 0 auto; padding: 44px 28px 72px; }
h1 { font-size: 22px; line-height: 1.35; font-weight: 640; margin: 0; letter-spacing: -.01em;
  overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 17px; font-weight: 640; margin: 0 0 4px; letter-spacing: -.005em; }
h3 { font-size: 14px; font-weight: 600; margin: 0 0 8px; }
p { margin: 0; max-width: 88ch; overflow-wrap: anywhere; text-wrap: pretty; }
.why { color: var(--soft); margin-bottom: 18px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 24px 26px 26px; margin-top: 20px; }
header { padding: 0 2px; }
.head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 28px; margin: 22px 0 6px; }
.hero { font-size: 76px; line-height: 1; font-weight: 660; letter-spacing: -.035em;
  color: var(--right); white-space: nowrap; }
.head p { font-size: 17px; line-height: 1.5; max-width: 52ch; }
.head small { display: block; font-size: 15px; color: var(--soft); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 200px), 1fr));
  gap: 18px 28px;
  margin: 26px 0 8px; }
.facts div { border-top: 1px solid var(--line); padding-top: 10px; }
dt { color: var(--soft); font-size: 13px; }
dd { margin: 0; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr));
  gap: 18px 36px; }
svg { display: block; width: 100%; height: auto; overflow: visible; font: inherit; }
svg text { fill: var(--soft); font-size: 12.5px; }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--soft); stroke-opacity: .55; }
svg path { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .train path { stroke: var(--train); } svg .train circle { fill: var(--train); }
svg .valid path { stroke: var(--right); } svg .valid circle { fill: var(--right); }
svg text.end { font-size: 13px; font-weight: 600; }
svg text.train { fill: var(--soft); } svg text.valid { fill: var(--right); }
.scale { position: relative; height: 92px; margin: 14px 14px 0; }
.scale::before { content: ""; position: absolute; left: 0; right: 0; top: 37px; height: 1px;
  background: var(--soft); opacity: .5; }
.scale span { position: absolute; white-space: nowrap; }
.scale .mark { top: 37px; padding-top: 9px; transform: translateX(-50%); color: var(--soft);
  font-size: 12.5px; }
.scale .mark::before { content: ""; position: absolute; left: 50%; top: 0; height: 7px; width: 1px;
  background: var(--soft); opacity: .5; }
.scale .band { top: 28px; height: 19px; min-width: 3px; border-radius: 4px;
  background: var(--band); }
.scale .point { top: 31px; width: 13px; height: 13px; margin-left: -6px; border-radius: 50%;
  background: var(--right); }
.scale .base { top: 25px; width: 2px; height: 25px; margin-left: -1px; background: var(--ink); }
.scale .this { top: 0; color: var(--right); font-size: 14px; font-weight: 640; }
.scale .that { top: 68px; font-size: 14px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 13px; }
td, th { padding: 6px 14px 6px 0; vertical-align: baseline; }
.rows { width: 100%; }
.scores { max-width: 820px; }
.list td { padding: 5px 18px 5px 0; }
.got { color: var(--wrong); font-weight: 640; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr));
  gap: 0 20px; align-items: start; }
.rows thead th { border-bottom: 1px solid var(--line); white-space: nowrap; }
.rows tbody td, .rows tbody th { border-bottom: 1px solid var(--line); }
.rows tbody th { color: var(--ink); font-size: 14px; font-weight: 600; }
.rows tfoot td, .rows tfoot th { font-weight: 640; color: var(--ink); font-size: 14px; }
.n { text-align: right; white-space: nowrap; }
.bar { display: inline-block; width: 72px; height: 6px; border-radius: 3px; background: var(--line);
  margin-left: 10px; vertical-align: 2px; overflow: hidden; text-align: left; }
.bar i { display: block; height: 100%; background: var(--right); }
.matrix { border-collapse: separate; border-spacing: 2px; }
.matrix td { min-width: 38px; height: 34px; padding: 2px 6px; text-align: center;
  border-radius: 4px;
  background: color-mix(in srgb, var(--tone) var(--much), var(--card)); vertical-align: middle; }
.matrix td.z { color: transparent; background: color-mix(in srgb, var(--line) 32%, var(--card)); }
.matrix td.hit { --tone: var(--right); } .matrix td.miss { --tone: var(--wrong); }
.matrix td.strong { color: var(--on); font-weight: 600; }
.matrix th { padding: 2px 8px; vertical-align: middle; color: var(--ink); }
.matrix thead th { text-align: center; vertical-align: bottom; }
.matrix .name { display: inline-block; max-width: 12em; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; vertical-align: bottom; }
.matrix thead .tall { writing-mode: vertical-rl; transform: rotate(180deg); max-width: none;
  max-height: 11em; }
.matrix .way { color: var(--soft); font-weight: 500; text-align: left; padding-bottom: 6px; }
.overview { image-rendering: pixelated; width: 440px; max-width: 100%;
  border: 1px solid var(--line); }
.beside { display: flex; flex-wrap: wrap; gap: 24px 48px; align-items: flex-start; }
.beside > div { max-width: 100%; }
.grid-of { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr));
  gap: 20px 18px; }
.texts { display: grid; gap: 22px; }
blockquote { margin: 0; font-size: 16px; line-height: 1.75; overflow-wrap: anywhere;
  max-width: 88ch; }
mark { color: inherit; border-radius: 4px; padding: 1px 3px;
  background: color-mix(in srgb, var(--tone) var(--much), var(--card)); }
mark.for { --tone: color-mix(in srgb, var(--wrong) 55%, transparent); }
mark.against { --tone: color-mix(in srgb, var(--right) 45%, transparent); }
figure { margin: 0; min-width: 0; }
figure img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: 6px;
  background: color-mix(in srgb, var(--line) 45%, var(--card)); }
.small img { image-rendering: pixelated; }
.heard img { aspect-ratio: 2; object-fit: fill; border-radius: 6px 6px 0 0; }
figure audio { width: 100%; display: block; height: 36px; }
figcaption { margin-top: 8px; font-size: 13.5px; line-height: 1.4; overflow-wrap: anywhere; }
figcaption b { font-weight: 640; }
figcaption small { display: block; color: var(--soft); font-size: 12px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
pre { margin: 0; font: 12.5px/1.6 ui-monospace, "SF Mono", "Cascadia Mono", Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); padding: 10px 0; }
summary:focus-visible { outline: 2px solid var(--right); outline-offset: 2px; }
footer { color: var(--soft); font-size: 13px; margin: 26px 2px 0; }
@media (max-width: 620px) {
  main { padding: 26px 14px 48px; } section { padding: 18px 16px 20px; } .hero { font-size: 56px; }
}
@media print {
  body { background: none; } section { break-inside: avoid; border-color: #ccc; }
}
"""
