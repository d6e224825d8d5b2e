import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parts, recording, wav } from '../../../../../tests/helpers/audio.ts';
import { AudioReader } from '../../../src/sessions/audio/reader.ts';

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

describe('an Ogg file', () => {
  const tone = recording('tone-opus.ogg');

  test('is as long as its longest stream, without what an encoder puts before it', async () => {
    const page = (serial: number, flags: number, position: number, body: Buffer) => {
      const head = Buffer.alloc(28);
      head.write('OggS');
      head.writeUInt8(flags, 5);
      head.writeBigInt64LE(BigInt(position), 6);
      head.writeUInt32LE(serial, 14);
      head.writeUInt8(1, 26);
      head.writeUInt8(body.length, 27);
      return Buffer.concat([head, body]);
    };
    const opus = Buffer.from('OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0', 'latin1');
    const speex = Buffer.alloc(80, 'Speex   ', 'latin1').fill(0, 8);
    speex.writeUInt32LE(8000, 36);
    const flac = Buffer.concat([
      Buffer.from('\x7fFLAC\x01\0\0\x01fLaC\0\0\0\x22', 'latin1'),
      Buffer.alloc(34),
    ]);
    flac.writeUInt32BE(44_100 << 12, 27);
    const streams = [
      [opus, 48_000 * 2 + 312, 2],
      [speex, 8000 * 3, 3],
      [flac, 44_100 * 4, 4],
    ] as const;
    for (const [head, position, seconds] of streams) {
      const file = [
        page(1, 2, 0, head),
        page(2, 2, 0, opus),
        page(1, 0, position, Buffer.alloc(9)),
        page(1, 0, -1, head),
      ];
      expect(await read('audio/ogg', Buffer.concat(file), 5)).toEqual({
        mimeType: 'audio/ogg',
        duration: seconds,
      });
    }
    const film = [page(1, 2, 0, Buffer.from('\x80theora, and so on')), page(1, 0, 100, Buffer.alloc(9))];
    await expect(read('audio/ogg', Buffer.concat(film))).rejects.toThrow('no recording');
  });

  test('that is no Ogg any more is as long as it was until then', async () => {
    const { duration } = await read('audio/ogg', Buffer.concat([tone, Buffer.alloc(100_000, 'x')]));
    expect(duration).toBeCloseTo(1.5, 1);
  });
});

test('four hours of M4A have their index at the end, and are as long as that says', async () => {
  const tone = recording('tone.m4a');
  const atomOf = (name: string) => {
    const start = tone.indexOf(name) - 4;
    return tone.subarray(start, start + tone.readUInt32BE(start));
  };
  const atom = (name: string, ...content: Buffer[]) => {
    const body = Buffer.concat(content);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(name, 4, 'latin1');
    return Buffer.concat([head, body]);
  };
  const hours = 4;
  const sizes = Buffer.alloc(12 + 4 * hours * 3600 * 47);
  sizes.writeUInt32BE((sizes.length - 12) / 4, 8);
  const stbl = atom('stbl', ...['stsd', 'stts', 'stsc'].map(atomOf), atom('stsz', sizes), atomOf('stco'));
  const mdia = atom('mdia', atomOf('mdhd'), atomOf('hdlr'), atom('minf', stbl));
  const moov = atom('moov', atom('trak', atomOf('tkhd'), mdia));
  const file = [tone.subarray(0, tone.readUInt32BE(0)), atom('mdat', Buffer.alloc(3 * MIB)), moov];
  const { duration } = await read('audio/mp4', Buffer.concat(file));
  expect(duration).toBeCloseTo(1.5, 0);
});

describe('a hostile file', () => {
  const fill = (text: string, size: number) => Buffer.alloc(size, text, 'latin1');
  const fillWith = (bytes: Buffer, size: number) => Buffer.alloc(size, bytes);
  const live = recording('tone-live.webm');
  const webmHead = live.subarray(0, live.indexOf(Buffer.from([0x1f, 0x43, 0xb6, 0x75])));
  const mp4Head = recording('tone.m4a').subarray(0, 28);
  const ogg = recording('tone-vorbis.ogg');
  /** The first page, and one of a byte that goes on with the packet before it. */
  const oggHead = ogg.subarray(0, ogg.indexOf('OggS', 4));
  const oggPage = Buffer.concat([oggHead.subarray(0, 26), Buffer.from([1, 1, 3])]);
  oggPage.writeUInt8(1, 5);
  const flac = recording('tone.flac');
  const comments = Buffer.concat([
    Buffer.from([0x84, 0x1c, 0, 0, 0, 0, 0, 0, 0xf0, 0xff, 0x03, 0]),
    fill('\x03\0\0\0A=b', 2 * MIB),
  ]);
  const tag = id3(0);
  tag.writeUInt8(0x6f, 6);

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
    ['of pages of one byte', 'audio/ogg', Buffer.concat([oggHead, fillWith(oggPage, 2 * MIB)])],
    [
      'of a tag of tags',
      'audio/wav',
      Buffer.concat([
        wav(0).subarray(0, 36),
        fill('id3 \0\0\x1d\0', 8),
        tag,
        fillWith(Buffer.from('TXXX\0\0\0\x04\0\0\0a\0b', 'latin1'), 2 * MIB),
      ]),
    ],
    ['of comments', 'audio/flac', Buffer.concat([flac.subarray(0, 42).fill(0, 4, 5), comments])],
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
    // What was held up to 300 MiB holds a few; the rest is room for what the collector has not looked at.
    expect(process.memoryUsage().rss - memory).toBeLessThan(160 * MIB);
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
    let isLeft = false;
    const reader = new AudioReader('audio/webm');
    const feeding = reader.feed(Buffer.concat([webmHead, fill('\xec\x80', 4 * MIB)])).then(() => {
      isLeft = true;
    });
    await nextTurn();
    reader.stop();
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(isLeft).toBe(true);
    await feeding;
    await Promise.allSettled([reader.end()]);
  });
});
