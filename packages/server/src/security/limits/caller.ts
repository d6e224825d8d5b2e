import type { Principal } from '../principal.ts';

/** One text for one caller, whatever credential it shows. */
export function callerOf({ tenantId, id }: Pick<Principal, 'tenantId' | 'id'>): string {
  return JSON.stringify([tenantId, id]);
}
