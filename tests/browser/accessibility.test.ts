import { test } from 'vitest';
import { startScripted } from './console-app.ts';
import { ConsolePage, useConsole } from './console-page.ts';
import { lookAt } from './looks.ts';

useConsole();

const ANSWER = `Two ways to add numbers:

1. **By hand**, see [the rules](https://example.com/addition).
2. With a program:

\`\`\`ts
const sum = (a: number, b: number): number => a + b;
console.log(sum(6, 7)); // 13
\`\`\`

| a | b | sum |
|--:|--:|----:|
| 6 | 7 | 13 |
| 1 | 2 | 3 |

> A quotation, with \`code\`, ~~deleted~~ and a task: - [x] done
`;
const MINUTES = 60_000;

test('axe finds nothing on the way through a conversation, and pictures of it are kept', {
  timeout: 4 * MINUTES,
}, async () => {
  const { url, models } = await startScripted();
  const console = await ConsolePage.open(url);
  const { page } = console;
  await console.button('Start a session').waitFor();
  await lookAt(page, 'console-first-visit');

  await page.keyboard.press('n');
  await console.dialog('New session').getByRole('textbox', { name: 'Name' }).fill('Adding numbers');
  await console.dialog('New session').getByRole('radio').first().waitFor();
  await lookAt(page, 'console-new-session');
  await console.button('Create session').click();
  await console.page.getByText('Say something').waitFor();
  await lookAt(page, 'console-empty-conversation');

  models.script(
    {
      steps: [
        { reasoning: 'The sum of 6 and 7 is for the calculator.' },
        { toolCalls: [{ name: 'calculate', arguments: { expression: '6 + 7' } }] },
      ],
      tokens: { input: 412, output: 23 },
    },
    { steps: [{ text: ANSWER }], tokens: { input: 466, output: 131 } },
    {
      steps: [
        { toolCalls: [{ name: 'send_mail', arguments: { to: 'ann@example.com', subject: '6 + 7 = 13' } }] },
      ],
      tokens: { input: 620, output: 31 },
    },
    { steps: [{ text: 'Ann has her mail.' }], tokens: { input: 662, output: 12 } },
    {
      steps: [
        {
          toolCalls: [
            {
              name: 'ask_user',
              arguments: {
                question: 'Which numbers next?',
                fields: [
                  { name: 'first', label: 'The first number', type: 'number' },
                  { name: 'way', label: 'How', type: 'choice', options: ['By hand', 'With a program'] },
                  { name: 'sure', label: 'Are you sure?', type: 'boolean', required: false },
                  { name: 'note', label: 'Anything else', type: 'text', required: false },
                ],
              },
            },
          ],
        },
      ],
      tokens: { input: 702, output: 55 },
    },
    { steps: [{ text: 'As you like.' }], tokens: { input: 760, output: 9 } },
    { status: 400, error: { message: 'The context is too long.' } },
  );
  await console.prompt('How do I add numbers? Take 6 and 7.');
  await console.answers().filter({ hasText: 'A quotation' }).waitFor();
  await console.settled();
  await console.page.getByRole('button', { name: /^calculate/ }).click();
  await console.button('Reasoning').click();
  await lookAt(page, 'console-conversation');
  await page.getByRole('region', { name: 'Messages' }).evaluate((place) => place.scrollTo(0, 0));
  await lookAt(page, 'console-tool-call');

  await console.prompt('Write it to Ann');
  await console.dialog('Approval needed').waitFor();
  await lookAt(page, 'console-approval');
  await page.keyboard.press('Escape');
  await console.page.getByText('1 question waits for an answer').waitFor();
  await lookAt(page, 'console-question-aside');
  await console.button('Answer').click();
  await console.button('Approve').click();
  await console.answers().filter({ hasText: 'Ann has her mail.' }).waitFor();
  await console.settled();

  await console.prompt('More of it');
  const form = console.dialog('Your answer is needed');
  await form.getByRole('textbox', { name: 'The first number' }).waitFor();
  await lookAt(page, 'console-form');
  await form.getByRole('button', { name: 'Deny' }).click();
  await console.answers().filter({ hasText: 'As you like.' }).waitFor();
  await console.settled();

  await console.prompt('And on');
  await page.getByRole('alert').filter({ hasText: 'MODEL_ERROR' }).waitFor();
  await lookAt(page, 'console-failed-run');

  await console.button(/^Engine of the session/).click();
  await console.dialog('Engine').getByRole('textbox', { name: 'System prompt' }).waitFor();
  await lookAt(page, 'console-engine');
  await page.keyboard.press('Escape');

  await console.tab('Timeline');
  await page.getByRole('option').filter({ hasText: 'tool_result' }).first().click();
  await page.getByRole('region', { name: 'Raw JSON' }).waitFor();
  await lookAt(page, 'console-timeline');
  await page.getByText('Frames', { exact: true }).click();
  await page.getByRole('option').first().waitFor();
  await lookAt(page, 'console-frames');

  await console.tab('Runs');
  await page.getByRole('list', { name: 'Steps of the run' }).waitFor();
  await console.heading('Tokens by run').waitFor();
  await lookAt(page, 'console-runs');

  await console.menu('Delete…');
  await console.dialog('Delete this session?').waitFor();
  await lookAt(page, 'console-delete');
});
