/** Stands for a service that moves money. As good ones do, it takes a key: the same key is the same payment. */
export class Bank {
  readonly payments = new Map<string, number>();
  /** What happens after the money was moved and before anybody hears of it. */
  onPaid: () => void | Promise<void> = () => {};

  async charge(euros: number, { key }: { readonly key: string }): Promise<{ receipt: string }> {
    if (!this.payments.has(key)) this.payments.set(key, euros);
    await this.onPaid();
    return { receipt: `receipt of ${this.payments.get(key)} euros` };
  }
}
