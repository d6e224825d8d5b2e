import { useQuery } from '@tanstack/react-query';
import { client } from '../../lib/client.ts';

export interface Health {
  readonly uptime: number;
}

interface Ready {
  readonly services: {
    readonly sessions: { readonly count: number };
    readonly engines: { readonly count: number };
  };
}

const EVERY_MS = 5000;

export function useHealth() {
  return useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => client.request<Health>('GET', '/health', { signal }),
    refetchInterval: EVERY_MS,
    retry: false,
  });
}

export function useReady() {
  return useQuery({
    queryKey: ['ready'],
    queryFn: ({ signal }) => client.request<Ready>('GET', '/health/ready', { signal }),
    refetchInterval: EVERY_MS,
    retry: false,
  });
}
