import { describe, expect, it } from 'vitest';
import { createLocalCluster } from '../../src/cluster/local.ts';
import type { Notice } from '../../src/cluster/types.ts';
import { LogEvent } from '../../src/storage/log-event.ts';

const events = [new LogEvent('epoch', 1, 'custom:a', null, '{}', 1)];
const closed: Notice = { kind: 'session_closed', sessionId: 's', reason: 'deleted' };

function setUp() {
  const errors: unknown[] = [];
  const heard: string[] = [];
  const cluster = createLocalCluster({ onListenerError: (error) => errors.push(error) });
  return { cluster, errors, heard, hear: (name: string) => () => heard.push(name) };
}

describe('events', () => {
  it('reach every subscriber of their session, in order, as they are', () => {
    const { cluster, heard, hear } = setUp();
    const got: unknown[] = [];
    cluster.subscribe('s', (published) => got.push(published));
    cluster.subscribe('s', hear('second'));
    cluster.subscribe('other', hear('other'));

    cluster.publish('s', events);
    cluster.publish('nobody', events);

    expect(got).toEqual([events]);
    expect(got[0]).toBe(events);
    expect(heard).toEqual(['second']);
  });

  it('stop when the subscription ends, however often it is ended', () => {
    const { cluster, heard, hear } = setUp();
    const end = cluster.subscribe('s', hear('first'));
    end();
    cluster.subscribe('s', hear('second'));
    end();

    cluster.publish('s', events);

    expect(heard).toEqual(['second']);
  });

  it('reach a listener once per subscription', () => {
    const { cluster, heard, hear } = setUp();
    const listener = hear('twice');
    const end = cluster.subscribe('s', listener);
    cluster.subscribe('s', listener);

    cluster.publish('s', events);
    end();
    cluster.publish('s', events);

    expect(heard).toEqual(['twice', 'twice', 'twice']);
  });

  it('reach the others when a listener throws, and it is reported', () => {
    const { cluster, errors, heard, hear } = setUp();
    const failure = new Error('broken');
    cluster.subscribe('s', () => {
      throw failure;
    });
    cluster.subscribe('s', hear('second'));

    cluster.publish('s', events);

    expect(errors).toEqual([failure]);
    expect(heard).toEqual(['second']);
  });

  it('may change the subscriptions while they are told', () => {
    const { cluster, heard, hear } = setUp();
    cluster.subscribe('s', () => {
      heard.push('first');
      endSecond();
      endThird();
      cluster.subscribe('s', hear('late'));
    });
    const endSecond = cluster.subscribe('s', hear('second'));
    const endThird = cluster.subscribe('s', hear('third'));

    cluster.publish('s', events);
    const during = [...heard];
    cluster.publish('s', events);

    expect(during).toEqual(['first']);
    expect(heard).toEqual(['first', 'first', 'late']);
  });

  it('reach whoever subscribes after the last one has left', () => {
    const { cluster, heard, hear } = setUp();
    const end = cluster.subscribe('s', () => {
      end();
      cluster.subscribe('s', hear('next'));
    });

    cluster.publish('s', events);
    const during = [...heard];
    cluster.publish('s', events);

    expect(during).toEqual([]);
    expect(heard).toEqual(['next']);
  });
});

describe('notices', () => {
  it('reach every listener, also when one throws, until it leaves', () => {
    const { cluster, errors, heard, hear } = setUp();
    const endFirst = cluster.onNotice((notice) => {
      heard.push(notice.sessionId);
      throw new Error('broken');
    });
    cluster.onNotice(hear('second'));

    cluster.announce(closed);
    endFirst();
    cluster.announce(closed);

    expect(heard).toEqual(['s', 'second', 'second']);
    expect(errors).toHaveLength(1);
  });
});

it('says nothing any more when it is closed', async () => {
  const { cluster, heard, hear } = setUp();
  cluster.subscribe('s', hear('event'));
  cluster.onNotice(hear('notice'));

  await cluster.close();
  cluster.publish('s', events);
  cluster.announce(closed);

  expect(heard).toEqual([]);
});
