import { expect, test } from 'vitest';
import { z } from 'zod';
import { newSessionId } from '../../src/sessions/session-id.ts';

test('an id is a UUID of version 7 that begins with its time', () => {
  const id = newSessionId(0x0123_4567_89ab);
  expect(z.uuidv7().safeParse(id).success).toBe(true);
  expect(id.slice(0, 15)).toBe('01234567-89ab-7');
});

test('ids of one moment differ, later ones come later', () => {
  const ids = Array.from({ length: 1000 }, () => newSessionId(5));
  expect(new Set(ids).size).toBe(1000);
  expect(ids.every((id) => id < newSessionId(6))).toBe(true);
  expect(newSessionId() > newSessionId(Date.now() - 1000)).toBe(true);
});
