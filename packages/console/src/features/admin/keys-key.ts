import { queries } from '../../lib/query.ts';

export const KEYS_KEY = ['keys'] as const;

export function refreshKeys(): Promise<void> {
  return queries.invalidateQueries({ queryKey: KEYS_KEY });
}
