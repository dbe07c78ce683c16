/** For builds that run many times slower: a property is tried for some seconds, not for all its cases. */
import fc from 'fast-check';

// The plugin that is to follow this option has no place among the global parameters.
// eslint-disable-next-line @typescript-eslint/no-deprecated
fc.configureGlobal({ interruptAfterTimeLimit: 3000 });
