/** Pages as they are not meant to be: each is text, or a clear error, and the next is read. */
import { afterAll, expect, test } from 'vitest';
import { createPageReader } from '../../../src/tools/fetch-url/tool.ts';

const reader = createPageReader();
afterAll(() => reader.close());

const read = (html: string) => reader.run({ html, url: 'https://example.com/a/' });

test.each([
  ['<p>a</p>', 'a'],
  ['a', 'a'],
  ['', ''],
  ['<', '<'],
  ['<p>a<p>b', 'a\n\nb'],
  ['<p>a</div></p></p>', 'a'],
  ['<!-- a --><p>b', 'b'],
  ['<p>&lt;b&gt; &copy; &#x1f600; &nonsense;', '<b> © 😀 &nonsense;'],
  ['<table><tr><td>a</td><td>b</td></tr></table>', 'ab'],
  ['<pre>a\n  b</pre>', 'a\n  b'],
  ['<script>a</script><style>b</style><p>c', 'c'],
  ['<SCRIPT>a</SCRIPT ><p>c', 'c'],
  ['<script>a', ''],
  ['<svg><text>a</text></svg><p>c', 'c'],
  ['<h1>Title</h1>', 'Title'],
  ['<a href="b">c</a>', 'c [https://example.com/a/b]'],
  ['<a href="https://example.com/a/">https://example.com/a/</a>', 'https://example.com/a/'],
  ['<a href="javascript:alert(1)">c</a>', 'c'],
  ['<a href="data:text/html,c">c</a>', 'c'],
  ['<a href="http://[">c</a>', 'c'],
  ['<a>c</a>', 'c'],
])('%j is %j', async (html, text) => {
  expect(await read(html)).toEqual({ title: '', text });
});

test.each([
  ['<title>A  b</title><p>c', 'A b'],
  ['<svg><title>picture</title></svg><title>x</title>', 'picture'],
  [`<title>${'a'.repeat(5000)}</title>`, 'a'.repeat(300)],
  ['<title>a', 'a'],
  ['<p>c', ''],
])('the title of %j', async (html, title) => {
  const page = await read(html);

  expect(page.title).toBe(title);
  expect(page.text).toMatch(/^[cp]?$/);
});

test.each([
  ['tags inside each other', '<div>'.repeat(300_000)],
  ['links inside each other', '<a href=x>'.repeat(150_000)],
  ['paragraphs', '<p>a'.repeat(400_000)],
  ['breaks', '<br>'.repeat(400_000)],
  ['list items', `<ol>${'<li>'.repeat(400_000)}`],
  ['links', '<a href="/x">y</a>'.repeat(100_000)],
  ['attributes', `<p ${'a=b '.repeat(400_000)}>`],
  ['one attribute', `<p a="${'b'.repeat(1_900_000)}`],
  ['unclosed comments', '<!--'.repeat(400_000)],
  ['unclosed tags', '<p '.repeat(600_000)],
  ['angles', '<'.repeat(1_900_000)],
  ['closing tags', '</p>'.repeat(400_000)],
  ['ampersands', '&'.repeat(1_900_000)],
  ['entities', '&CounterClockwiseContourIntegral;'.repeat(60_000)],
  ['spaces', ' '.repeat(1_900_000)],
  ['line breaks in a pre', `<pre>${'\n'.repeat(1_900_000)}`],
  ['one word', 'a'.repeat(1_900_000)],
  ['titles', '<title>'.repeat(200_000)],
  ['scripts', '<script>'.repeat(200_000)],
  ['wrong nesting', '<b><i></b></i>'.repeat(130_000)],
  ['cells', `<table><tr>${'<td>a'.repeat(300_000)}`],
])('two megabytes of %s', async (_what, html) => {
  const outcome = await read(html).catch((error: Error) => error);

  if (outcome instanceof Error)
    expect(outcome.message).toMatch(/^The reading of the page takes too (?:long|much memory)$/);
  else expect(outcome.text.length).toBeLessThanOrEqual(4_000_000);
  expect(await read('<p>next')).toEqual({ title: '', text: 'next' });
});
