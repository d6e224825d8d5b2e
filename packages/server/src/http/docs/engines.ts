/** The engines that can be linked, with the commands that they take: the only place where parameters are explained. */
import type { EngineTypeInfo } from '@llmgine/protocol';
import type { JsonSchema } from '../json-schema.ts';
import { type Html, html, prose } from './html.ts';
import { sampleOf } from './sample.ts';
import { schemaTable } from './schema-table.ts';

const REFERENCE = '#/$defs/';

export function engineSection(engines: readonly EngineTypeInfo[]): Html {
  const blocks = engines.map(({ engine_type, description, commands, config }) => {
    const parts = commands.map(
      (command) => html`<h5>Command <code>${command.command}</code></h5>
<p>${prose(command.description)}</p>${parameters(command.command, command.parameters)}`,
    );
    return html`<article id="engine-${engine_type}"><h4><code>${engine_type}</code></h4>
<p>${prose(description)}</p>${parts}<h5><code>engine_config</code></h5>${schemaTable(whole(config))}</article>`;
  });
  return html`<p>What <code>link_engine</code> takes, and what each engine then takes as a <code>command</code>, over REST and on WebSocket alike.</p>${blocks}`;
}

function parameters(command: string, described: JsonSchema): Html {
  const schema = whole(described);
  const frame = { type: 'command', message_id: '1', data: { command, parameters: sampleOf(schema, {}) } };
  return html`<pre>${JSON.stringify(frame)}</pre>${schemaTable(schema)}`;
}

/** The schema with its definitions in the places that refer to them; what contains itself is told once. */
function whole(schema: JsonSchema): JsonSchema {
  const { $defs, ...rest } = schema;
  const definitions = ($defs ?? {}) as Record<string, JsonSchema>;
  const resolve = (value: unknown, within: readonly string[]): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => resolve(item, within));
    const { $ref, ...others } = value as JsonSchema;
    const resolved = Object.fromEntries(
      Object.entries(others).map(([key, inner]) => [key, resolve(inner, within)]),
    );
    if (typeof $ref !== 'string' || within.includes($ref)) return resolved;
    const definition = definitions[$ref.slice(REFERENCE.length)] ?? {};
    return { ...(resolve(definition, [...within, $ref]) as object), ...resolved };
  };
  return resolve(rest, ['#']) as JsonSchema;
}
