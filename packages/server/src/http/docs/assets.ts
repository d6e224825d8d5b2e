/** The style and the script of the reference page; texts, because the build copies no other files. */
export const REFERENCE_CSS = `
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; }
body { margin: 0; }
header { position: sticky; top: 0; z-index: 1; background: #fff; border-bottom: 1px solid #d8dee6; padding: .5rem 1.5rem; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; }
header h1 { font-size: 1.15rem; margin: 0; }
header h1 small { color: #5b6675; font-weight: normal; }
header p { margin: 0; color: #5b6675; }
nav a { margin-right: .75rem; }
a { color: #0b57c0; }
main { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem 4rem; }
h2, h3, article, tr[id] { scroll-margin-top: 4rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d8dee6; }
article { margin: 1rem 0; padding: .25rem 1rem .75rem; border: 1px solid #d8dee6; border-radius: 6px; }
article h4 { margin: .5rem 0; }
article p { margin: .5rem 0; }
article h4 code { font-weight: 600; }
article h5 { margin: 1rem 0 .25rem; font-size: .95rem; }
pre { margin: .5rem 0; padding: .5rem .75rem; overflow-x: auto; background: #f5f7fa; border-radius: 4px; font: .85em/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #edf0f4; }
table.fields td:first-child { width: 30%; }
table.fields td:nth-child(2) { width: 30%; }
code { font: .9em ui-monospace, monospace; }
small, .none { color: #5b6675; }
:target { background: #fff6d6; }
.swagger-ui .information-container { display: none; }
.swagger-ui .scheme-container { margin: 0; padding: 0 0 1rem; background: none; box-shadow: none; }
`;

export const REFERENCE_JS = `
const address = document.querySelector('#ws-address');
address.textContent = address.textContent.replace('ws://HOST', location.origin.replace(/^http/, 'ws'));
SwaggerUIBundle({
  // Absolute: a script may not fetch what is relative to an address with a user and a password.
  url: location.origin + '/openapi.json',
  dom_id: '#swagger-ui',
  layout: 'BaseLayout',
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
  deepLinking: false,
});
`;
