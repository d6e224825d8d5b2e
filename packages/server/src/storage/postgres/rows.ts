import { type RawBuilder, sql } from 'kysely';

/** The columns of rows that a statement brings with it, and their types. */
export type Columns<Row> = { readonly [Column in keyof Row & string]: 'bigint' | 'float8' | 'text' };

/** Any number of rows as a table of a query, as one parameter a column: its text stays the same. */
export function rowsAs<Row>(name: string, columns: Columns<Row>, rows: readonly Row[]): RawBuilder<unknown> {
  const names = Object.keys(columns) as (keyof Row & string)[];
  const arrays = names.map((column) => {
    const values = rows.map((row) => row[column]);
    return sql`${values}::${sql.raw(columns[column])}[]`;
  });
  const aliases = sql.join(names.map((column) => sql.ref(column)));
  return sql`unnest(${sql.join(arrays)}) as ${sql.ref(name)}(${aliases})`;
}

/** Rows of a table, numbered in their order where it numbers them. */
export function insertRows<Row>(
  table: string,
  columns: Columns<Row>,
  rows: readonly Row[],
): RawBuilder<unknown> {
  const names = sql.join(Object.keys(columns).map((column) => sql.ref(column)));
  return sql`insert into ${sql.table(table)} (${names}) select ${names} from ${rowsAs('new', columns, rows)}`;
}
