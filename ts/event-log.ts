/** Events that nobody has to listen to: kept in order, and each listener gets all of them, whenever it comes. */

export class EventLog<Event> implements AsyncIterable<Event> {
  private readonly events: Event[] = [];
  private wake: (() => void) | undefined;
  private news = this.nextNews();
  private ended = false;
  private failure: { error: unknown } | undefined;

  add(event: Event): void {
    this.events.push(event);
    this.announce();
  }

  /** No more events; with an error, iteration ends by throwing it. */
  end(failure?: { error: unknown }): void {
    this.ended = true;
    this.failure = failure;
    this.announce();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (let next = 0; ;) {
      while (next < this.events.length) yield this.events[next++]!;
      if (this.ended) break;
      await this.news;
    }
    if (this.failure !== undefined) throw this.failure.error;
  }

  private announce(): void {
    this.wake?.();
    this.news = this.nextNews();
  }

  private nextNews(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}
