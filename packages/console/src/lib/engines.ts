import { useQuery } from '@tanstack/react-query';
import { client } from './client.ts';
import type { EngineTypeInfo } from './protocol.ts';

/** What whoever does not choose gets: it can do the most of what is there. */
const PREFERRED = 'ToolChatEngine';

export function useEngines(): {
  readonly engines: readonly EngineTypeInfo[];
  readonly isLoading: boolean;
  readonly error: unknown;
} {
  const { data, isLoading, error } = useQuery({
    queryKey: ['engines'],
    queryFn: () => client.engines(),
    staleTime: 60_000,
  });
  return { engines: data?.engines ?? [], isLoading, error };
}

export function defaultEngine(engines: readonly EngineTypeInfo[]): string | null {
  const preferred = engines.find(({ engine_type: type }) => type === PREFERRED);
  return (preferred ?? engines[0])?.engine_type ?? null;
}
