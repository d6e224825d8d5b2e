import { expect, test } from 'vitest';
import { runCli } from './terminal.ts';

test.each(['', 'serve', 'chat', 'sessions', 'sessions export', 'doctor', 'init', 'keys', 'audit'])(
  'llmgine %s --help has examples, and fits on a terminal',
  async (command) => {
    const { code, stdout, stderr } = await runCli([...command.split(' ').filter(Boolean), '--help']);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Examples:');
    expect(stdout.split('\n').filter((line) => line.length > 120)).toEqual([]);
  },
);
