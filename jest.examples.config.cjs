/** The examples against the packed package: npm run test:examples. @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.cjs'),
  roots: ['<rootDir>/test/examples'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 300_000,
};
