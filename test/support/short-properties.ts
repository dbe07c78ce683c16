/** For builds that run many times slower: a property is tried for some seconds, not for all its cases. */
import fc from 'fast-check';

fc.configureGlobal({ plugins: [fc.interruptAfterTimeLimit(3000)] });
