import { expect, it } from 'vitest';
import { startApp } from '../../../../tests/helpers/app.ts';
import { startKeySetServer } from '../../../../tests/helpers/key-set-server.ts';
import { APIConfig, type ConfigInput } from '../../src/config.ts';
import { startJwt, tryJwt } from './start-jwt.ts';

const SECRET = 'a-secret-of-the-provider-with-40-letters';

it('takes either a secret or a key set, and shows neither secret', async () => {
  const both = startApp({ config: { jwtSecret: SECRET, jwtJwksUrl: 'https://id.example/keys' } });

  await expect(both).rejects.toThrow(
    /^jwtJwksUrl is "https:\/\/id\.example\/keys", but LLMGINE_API_JWT_SECRET is set/,
  );
  await expect(both).rejects.not.toThrow(SECRET);
});

it.each(['http://', 'https://:443', 'https://user:pass@id.example/keys', 'http://[::1/keys'])(
  'refuses an address that cannot be asked: %s',
  async (jwtJwksUrl) => {
    const started = startApp({ config: { jwtJwksUrl } });

    await expect(started).rejects.toThrow(/^jwtJwksUrl is/);
    await expect(started).rejects.not.toThrow('pass@');
  },
);

it.each(['short', 'x'.repeat(31), 'a secret with spaces that is long enough'])(
  'refuses a secret that is too short or that no shell would keep: %s',
  async (jwtSecret) => {
    await expect(startApp({ config: { jwtSecret } })).rejects.toThrow('jwtSecret is (hidden), but must be');
  },
);

const AUDIENCE = 'LLMGINE_API_JWT_AUDIENCE is not set';

it.each<[string, Partial<ConfigInput>, string[]]>([
  ['a secret alone', { jwtSecret: SECRET }, [AUDIENCE]],
  ['a secret and an issuer', { jwtSecret: SECRET, jwtIssuer: 'x' }, []],
  ['a secret and an audience', { jwtSecret: SECRET, jwtAudience: 'x' }, []],
  ['a key set alone', { jwtJwksUrl: 'http://127.0.0.1:1/' }, [AUDIENCE]],
  ['a key set and an issuer', { jwtJwksUrl: 'http://127.0.0.1:1/', jwtIssuer: 'x' }, [AUDIENCE]],
  ['a key set and an audience', { jwtJwksUrl: 'http://127.0.0.1:1/', jwtAudience: 'x' }, []],
  ['http', { jwtJwksUrl: 'http://x.invalid/', jwtAudience: 'x' }, ['LLMGINE_API_JWT_JWKS_URL is not https']],
  ['https', { jwtJwksUrl: 'https://x.invalid/', jwtAudience: 'x' }, []],
])('warns of what lets in more than people may think: %s', (_what, config, expected) => {
  const { lines, close } = startJwt(config);
  close();

  expect(lines.map(({ msg }) => expected.find((start) => msg.startsWith(start)) ?? msg)).toEqual(expected);
});

it.each<Partial<ConfigInput>>([{ jwtIssuer: 'x' }, { jwtAudience: 'x' }])(
  'warns of an issuer or an audience that has no effect: %j',
  (config) => {
    const { jwt, lines } = tryJwt(config);

    expect(jwt).toBeNull();
    expect(lines).toMatchObject([{ msg: expect.stringContaining('have no effect') }]);
  },
);

it('neither has verifiers nor says anything where nothing is configured', () => {
  expect(tryJwt({})).toMatchObject({ jwt: null, lines: [] });
});

it('starts while the provider is down, and asks it before anybody comes', async () => {
  const provider = await startKeySetServer();
  const asked = Promise.withResolvers<void>();
  provider.respond = (response) => {
    response.writeHead(500).end();
    asked.resolve();
  };

  const { url } = await startApp({ config: { jwtJwksUrl: provider.url } });

  await asked.promise;
  expect((await fetch(`${url}/health`)).status).toBe(200);
});

it('takes the secret out of what is logged', () => {
  const config = new APIConfig({ jwtSecret: SECRET }, { env: {} });

  expect(config.redact(`it is ${SECRET}`)).toBe('it is [hidden]');
  expect(JSON.stringify(config)).not.toContain(SECRET);
});
