import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parts, recording, wav } from '../../../../tests/helpers/audio.ts';
import { AudioReader } from '../../src/sessions/audio-reader.ts';

const MIB = 1_048_576;

async function read(declared: string, file: Buffer, size = 65_536) {
  const reader = new AudioReader(declared);
  for (const part of parts(file, size)) await reader.feed(part);
  return reader.end();
}

function id3(size: number, flags = 0): Buffer {
  const head = Buffer.from([0x49, 0x44, 0x33, 4, 0, flags, 0, 0, 0, 0]);
  for (let index = 0; index < 4; index++) head[9 - index] = (size >> (7 * index)) & 0x7f;
  return Buffer.concat([head, Buffer.alloc(size + (flags ? 10 : 0), 0x55)]);
}

describe('a file is found out', () => {
  test.each([1, 7, 1024, 65_536])('in pieces of %i bytes', async (size) => {
    expect(await read('audio/mpeg', recording('tone.mp3'), size)).toEqual({
      mimeType: 'audio/mpeg',
      duration: 1.584,
    });
    expect((await read('audio/webm', recording('tone-live.webm'), size)).duration).toBeCloseTo(1.5, 1);
    expect(await read('audio/wav', wav(2.5), size)).toEqual({ mimeType: 'audio/wav', duration: 2.5 });
  });

  test('behind tags of any size, which are not kept', async () => {
    const tone = recording('tone.mp3');
    const plain = tone.subarray(tone.indexOf(Buffer.from([0xff, 0xf3])));
    for (const tags of [[id3(0)], [id3(5 * MIB)], [id3(100), id3(3, 0x10), id3(70_000)]]) {
      const { mimeType } = await read('audio/mpeg', Buffer.concat([...tags, plain]));
      expect(mimeType).toBe('audio/mpeg');
    }
  });

  test('when it is broken off, as far as it goes', async () => {
    for (const name of ['tone.mp3', 'tone.webm', 'tone-opus.ogg']) {
      const file = recording(name);
      const type = { 'tone.mp3': 'audio/mpeg', 'tone.webm': 'audio/webm', 'tone-opus.ogg': 'audio/ogg' }[
        name
      ];
      const { mimeType } = await read(type ?? '', file.subarray(0, Math.floor(file.length * 0.7)));
      expect(mimeType).toBe(type);
    }
  });

  test('by its bytes alone: what is declared is compared, and nothing else', async () => {
    await expect(read('audio/mpeg', wav(1))).rejects.toThrow('audio/wav');
    await expect(read('audio/wav', recording('tone.mp3'))).rejects.toThrow('audio/mpeg');
  });
});

describe('a hostile file', () => {
  const fill = (text: string, size: number) => Buffer.alloc(size, text, 'latin1');
  const live = recording('tone-live.webm');
  const webmHead = live.subarray(0, live.indexOf(Buffer.from([0x1f, 0x43, 0xb6, 0x75])));
  const mp4Head = recording('tone.m4a').subarray(0, 28);

  test.each<[string, string, Buffer]>([
    ['of the smallest elements', 'audio/webm', Buffer.concat([webmHead, fill('\xec\x80', 4 * MIB)])],
    [
      'of clusters in clusters',
      'audio/webm',
      Buffer.concat([webmHead, fill('\x1f\x43\xb6\x75\xff', 4 * MIB)]),
    ],
    ['of empty atoms', 'audio/mp4', Buffer.concat([mp4Head, fill('\0\0\0\x08free', 4 * MIB)])],
    [
      'of an atom that is larger than anything',
      'audio/mp4',
      Buffer.concat([mp4Head, fill('\xff\xff\xff\xffmoov', 9 * MIB)]),
    ],
    ['of empty chunks', 'audio/wav', Buffer.concat([wav(0), fill('junk\0\0\0\0', 4 * MIB)])],
    [
      'of a chunk that wants all memory',
      'audio/wav',
      Buffer.concat([wav(0), fill('id3 \xf0\xff\xff\xff', 9 * MIB)]),
    ],
    ['of marks that begin no frame', 'audio/mpeg', fill('\xff', 4 * MIB)],
    [
      'of a tag that never ends',
      'audio/mpeg',
      Buffer.concat([Buffer.from('ID3\x04\0\0\x7f\x7f\x7f\x7f', 'latin1'), fill('x', 4 * MIB)]),
    ],
  ])('%s is done with, in little memory', async (_, declared, file) => {
    const memory = process.memoryUsage().rss;
    const outcome = await read(declared, file).catch((error: { code?: string }) => error.code);
    expect(typeof outcome === 'object' ? outcome.mimeType : outcome).toBeOneOf([
      declared,
      'VALIDATION_ERROR',
    ]);
    expect(process.memoryUsage().rss - memory).toBeLessThan(64 * MIB);
  });

  test('is looked at in small steps, between which everybody else has a turn', async () => {
    let turns = 0;
    const reader = new AudioReader('audio/webm');
    const feeding = reader.feed(Buffer.concat([webmHead, fill('\xec\x80', 65_536)])).then(() => true);
    while (!(await Promise.race([feeding, nextTurn(false)]))) turns++;
    expect(turns).toBeGreaterThan(50);
  });

  test('of whatever bytes is a recording or an error, and never anything else', async () => {
    const heads = [
      webmHead,
      mp4Head,
      wav(0),
      recording('tone.mp3'),
      recording('tone-opus.ogg'),
      Buffer.alloc(0),
    ];
    const types = ['audio/wav', 'audio/mpeg', 'audio/webm', 'audio/ogg', 'audio/mp4', 'audio/flac'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...heads),
        fc.constantFrom(...types),
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(200),
        async (head, type, bytes, cut) => {
          const file = Buffer.concat([head.subarray(0, Math.max(0, head.length - cut)), bytes]);
          const outcome = await read(type, file, 1000).catch((error: { code?: string }) => error.code);
          if (typeof outcome === 'object') expect(outcome.mimeType).toBe(type);
          else expect(outcome).toBe('VALIDATION_ERROR');
        },
      ),
      { numRuns: 200 },
    );
  });

  test('is left alone once nobody wants it', async () => {
    const reader = new AudioReader('audio/webm');
    const feeding = reader.feed(Buffer.concat([webmHead, fill('\xec\x80', 4 * MIB)]));
    await nextTurn();
    reader.stop();
    await feeding;
    await expect(reader.end()).rejects.toThrow();
  });
});
