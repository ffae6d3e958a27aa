// Many requests, few of them at a time: what the user does meanwhile must not wait behind hundreds.

/** Number of requests at a time; a browser opens six connections to a server for all its tabs. */
const AT_ONCE = 3;

/**
 * Call `doing(item)` for each item, for a few at a time and in their order, and return the results, as `Promise.all` does.
 * None begins after a failure, which is thrown, nor after `isWanted()` has returned false, such as when the screen was left;
 * the result of one that did not begin is undefined.
 */
export async function fewAtATime(items, doing, isWanted = () => true) {
  const results = [];
  const left = items.entries();
  let hasFailed = false;
  async function work() {
    for (const [at, item] of left) {
      if (hasFailed || !isWanted()) return;
      try {
        results[at] = await doing(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work));
  return results;
}
