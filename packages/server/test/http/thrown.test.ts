import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { call } from '../../../../tests/helpers/rest.ts';
import { ExtensibleAPIFactory } from '../../src/extensibility/factory.ts';
import { expectProblem } from './expect-problem.ts';

it.each([null, undefined, 'text', 7, { statusCode: 'x' }])(
  'check 39 (ASVS 16.5.1): a route that throws %j answers with a problem',
  async (thrown) => {
    const apiFactory = new ExtensibleAPIFactory().registerCustomRouter('/api/mine', (router) => {
      router.get('/', () => {
        throw thrown;
      });
    });
    const { url } = await startApp({ apiFactory });
    const answer = await call('GET', `${url}/api/mine`);
    expectProblem(answer, 'INTERNAL_ERROR');
    expect(answer.body.detail).toBe('Internal error');
  },
);
