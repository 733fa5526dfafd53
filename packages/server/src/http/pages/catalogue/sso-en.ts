import type { SsoMessages } from './sso-messages.ts'

/** The words about applications in English. */
export const ssoEn: SsoMessages = {
  title: (application) => `Allow ${application}?`,
  wants: (application) => `${application} wants to:`,
  goesTo: (host) => `Afterwards you return to ${host}.`,
  allow: 'Allow',
  deny: 'Do not allow',
  expiredTitle: 'This login has expired',
  expired:
    'The login took too long, was finished in another tab, or began in another browser. Go back to the application and log in again.',
  startAgain: 'Start again',
  wrongTitle: 'This login cannot continue',
  wrong: 'The application has sent a wrong request. Nothing was shared with it.',
  forDevelopers: 'For the developer of the application:',
  deviceTitle: 'Connect a device',
  deviceLead:
    'Type the code that your device shows. Continue only if you have just started this on your own device.',
  deviceCode: 'Code',
  deviceAsks: (application, code) =>
    `A device with the code ${code} wants to use your account with ${application}. Compare the code with the device. It wants to:`,
  deviceUnknown:
    'This code is wrong, has expired, or was used. Check it, or get a new code on your device.',
  deviceDone: 'The device is connected. You can close this page.',
  deviceDenied: 'The device is not connected. You can close this page.',
}
