import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { HttpApp } from '../types.ts';

/** Routes are validated, answered and described by Zod schemas. Any other kind stops the start instead of each request. */
export function registerSchemas(app: HttpApp): void {
  app.setValidatorCompiler<z.ZodType>((route) => {
    if (!('_zod' in route.schema)) {
      throw new TypeError(
        `The ${route.httpPart} of ${route.method} ${route.url} is not described by a Zod schema`,
      );
    }
    return validatorCompiler(route);
  });
  app.setSerializerCompiler(serializerCompiler);
}
