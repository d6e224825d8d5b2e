import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { type BannerFacts, banner } from '../../src/cli/banner.ts';

const FACTS: BannerFacts = {
  title: 'My API',
  version: '2.1.0',
  model: { id: 'demo', hint: 'set OPENAI_API_KEY or LLMGINE_API_MODEL for another one' },
  storage: 'sqlite data/llmgine.db',
  auth: 'this machine only; set LLMGINE_API_KEY to let others in',
};

test('the banner says where the server is, what answers, where the data is and who is let in', () => {
  const text = banner(FACTS, { url: 'http://localhost:8000', colors: false });

  expect(text).toContain('My API 2.1.0');
  expect(text).toContain('http://localhost:8000/docs');
  expect(text).toContain('ws://localhost:8000/api/sessions/{session_id}/ws');
  expect(text).toContain('curl -X POST http://localhost:8000/api/sessions');
  for (const fact of [FACTS.model.id, FACTS.model.hint, FACTS.storage, FACTS.auth]) {
    expect(text).toContain(fact);
  }
});

test('colours change nothing but colours', () => {
  const plain = banner(FACTS, { url: 'http://localhost:1', colors: false });
  const colored = banner(FACTS, { url: 'http://localhost:1', colors: true });

  expect(colored).not.toBe(plain);
  expect(stripVTControlCharacters(colored)).toBe(plain);
});
