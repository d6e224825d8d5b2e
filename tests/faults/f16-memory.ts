import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The most bytes of memory that the process has had; 0 where the system does not say. */
export function peakMemory({ pid }: ChildProcess): number {
  if (process.platform !== 'linux') return 0;
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!peak) throw new Error('no VmHWM');
  return Number(peak[1]) * 1024;
}
