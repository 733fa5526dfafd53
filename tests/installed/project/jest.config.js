// One project with the defaults of Jest, one as `nest new` writes it.
module.exports = {
  projects: [
    { displayName: 'defaults', testMatch: ['**/*.test.js'] },
    {
      displayName: 'nest',
      testRegex: '.*\\.spec\\.ts$',
      transform: { '^.+\\.(t|j)s$': 'ts-jest' },
    },
  ],
}
