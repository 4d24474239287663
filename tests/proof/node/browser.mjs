// A page of a local server in Debian's Chromium, and what it did that it should not have.

export const OFFLINE = [
  '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
  '--disable-default-apps', '--disable-domain-reliability', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
]

/** Note what a page asks of other servers, what fails, and what it complains of. */
export function watch(page, url, found = { foreign: [], failed: [], complaints: [] }) {
  page.on('request', (one) => {
    const asked = new URL(one.url())
    if (asked.protocol !== 'data:' && asked.origin !== new URL(url).origin) found.foreign.push(one.url())
  })
  page.on('requestfailed', (one) => one.failure()?.errorText !== 'net::ERR_ABORTED' && found.failed.push(one.url()))
  page.on('console', (one) => ['error', 'warning'].includes(one.type()) && found.complaints.push(one.text()))
  page.on('pageerror', (error) => found.complaints.push(String(error)))
  page.on('dialog', (one) => { found.complaints.push(`dialog: ${one.message()}`); one.dismiss() })
  return found
}

/** Open a view of the inspector, with the control token as `serve` gives it: in the fragment. */
export async function open(browser, url, options, view = 'overview') {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const found = watch(page, url)
  await page.goto(`${url}/#token=${process.env.CONTROL_TOKEN}`)
  await page.waitForSelector('#view[data-place]')
  await show(page, view)
  return { page, context, found }
}

/** Go to a view and wait for it. */
export async function show(page, view) {
  await page.evaluate((place) => { location.hash = `#/${place}` }, view)
  await page.waitForSelector(`#view[data-place="${view}"]`)
}
