import { readFileSync } from 'node:fs';

/** What a WAV file has before its samples. */
export const WAV_HEADER = 44;

export interface WavOptions {
  /** Samples a second, of two bytes each. */
  readonly sampleRate?: number;
  /** What the header says, when it lies: bytes of the samples. */
  readonly declared?: number;
}

/** A WAV file of a tone. */
export function wav(seconds: number, { sampleRate = 8000, declared }: WavOptions = {}): Buffer {
  const samples = Math.round(seconds * sampleRate);
  const size = declared ?? samples * 2;
  const file = Buffer.alloc(WAV_HEADER + samples * 2);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(Math.min(size + 36, 0xffffffff), 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(sampleRate, 24);
  file.writeUInt32LE(sampleRate * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(size, 40);
  for (let n = 0; n < samples; n++) {
    file.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * n) / sampleRate)), WAV_HEADER + n * 2);
  }
  return file;
}

/** A recording of `tests/fixtures/audio`. */
export function recording(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/audio/${name}`, import.meta.url));
}

/** The file in parts of this size. */
export function parts(file: Buffer, size: number): Buffer[] {
  const all: Buffer[] = [];
  for (let start = 0; start < file.length; start += size) all.push(file.subarray(start, start + size));
  return all;
}
