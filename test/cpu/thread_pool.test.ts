import { loadTesting } from '../support/testing';

const { threadPoolJobs } = loadTesting();

describe('the thread pool', () => {
  test.each([1, 2, 3, 16])('runs every task once, job after job, with %i threads', (threads) => {
    for (const tasks of [0, 1, 2, 3, 100]) expect(threadPoolJobs!({ threads, jobs: 300, tasks })).toBe(0);
  });

  test('uses no processor time between jobs', async () => {
    threadPoolJobs!({ threads: 2, jobs: 10, tasks: 10 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(150);
  });
});
