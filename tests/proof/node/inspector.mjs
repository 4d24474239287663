// A person works with the inspector in a real browser, by keyboard. Prints JSON: how much was looked at, what was wrong.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { OFFLINE, open, show, watch } from './browser.mjs'

const { url, hostile, accessToken, rejected, openDelivery, deadDelivery, trace, attacks, manifest } = JSON.parse(process.argv[2])
const VIEWS = ['overview', 'manifests', 'deliveries', 'dead-letters', 'requests', 'limits', 'clock', 'faults']
const DETAILS = [`manifests?id=${rejected}`, `deliveries?id=${openDelivery}`, `deliveries?id=${deadDelivery}`, `requests?trace=${trace}`]
const WIDE = { width: 1180, height: 800 }, PHONE = { width: 360, height: 740 }
const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf-8')

let checks = 0
const failures = []
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: OFFLINE })

/** Look at one thing; what is not so, and what never comes, is a failure. */
async function check(name, look) {
  checks += 1
  try {
    const found = await look()
    if (found === false) failures.push(`${name}: not so`)
  } catch (error) {
    failures.push(`${name}: ${String(error.message).split('\n').slice(0, 3).join(' ')}`)
  }
}

/** Open the inspector, do something there, and hold the page to what it may ask for and complain of. */
async function session(name, options, act, { server = url, refused = 0 } = {}) {
  const { page, context, found } = await open(browser, server, options)
  page.setDefaultTimeout(8000)
  await act(page)
  const told = found.complaints.filter((one) => one.includes('status of 422'))
  await check(`${name}: ${refused} requests are refused, not ${told.length}`, () => told.length === refused)
  found.complaints = found.complaints.filter((one) => !told.includes(one))
  for (const [kind, what] of Object.entries(found)) await check(`${name}: nothing ${kind} ${what}`, () => what.length === 0)
  await context.close()
}

const seen = (page, text) => page.getByText(text).first().waitFor()
const api = (path, more = {}) => fetch(url + path, { ...more, headers: { Authorization: `Bearer ${accessToken}`, 'Content-Type': 'application/json', ...more.headers } })

/** Move to what has this name by Tab alone, and press a key there. */
async function press(page, role, name, key = 'Enter', within = page) {
  const wanted = within.getByRole(role, { name, exact: true }).first()
  await wanted.waitFor()
  for (let tabs = 0; tabs < 120; tabs += 1) {
    if (await wanted.evaluate((one) => one === document.activeElement)) return page.keyboard.press(key)
    await page.keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${role} ${name}`)
}

// --- every view, in every light, on every screen ------------------------------------------------------------------------

const LOOKS = { light: { colorScheme: 'light', viewport: WIDE }, dark: { colorScheme: 'dark', viewport: WIDE }, phone: { colorScheme: 'light', viewport: PHONE } }
for (const [name, options] of Object.entries(LOOKS)) {
  await session(name, options, async (page) => {
    await page.evaluate(AXE)
    for (const view of [...VIEWS, ...DETAILS]) {
      await show(page, view)
      for (const more of await page.locator('details').all()) await more.evaluate((one) => { one.open = true })
      await check(`axe, ${name}, ${view}`, async () => {
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations', 'passes'] }))
        if (violations.length) throw new Error(violations.map((one) => `${one.id} ${one.nodes.map((node) => node.html.slice(0, 120))}`).join('; '))
        return passes.length > 10
      })
      await check(`${name}, ${view} fits`, () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth))
    }
  })
}

// --- the token ----------------------------------------------------------------------------------------------------------

await session('token', { viewport: WIDE }, async (page) => {
  await check('the token leaves the address', () => !page.url().includes('token'))
  await check('it is kept for this tab alone', () => page.evaluate(() => localStorage.length === 0 && document.cookie === '' && sessionStorage.length === 1))
  await page.reload()
  await check('it is there after a reload', () => page.locator('#heading').waitFor())
})
{
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(8000)
  const found = watch(page, url)
  await page.goto(`${url}/`)
  await check('without a token there is nothing but a form', () => page.getByLabel('Control token').waitFor())
  await check('and no view', async () => (await page.locator('#view').innerHTML()) === '')
  await page.getByLabel('Control token').fill('wrong')
  await page.keyboard.press('Enter')
  await check('a wrong token is refused', () => seen(page, 'does not take this control token'))
  await page.getByLabel('Control token').fill(process.env.CONTROL_TOKEN)
  await page.keyboard.press('Enter')
  await check('the right one opens', () => page.locator('#heading').waitFor())
  await check('nothing foreign was asked', () => found.foreign.length === 0)
  await page.evaluate(() => { window.marker = 1 })
  await context.setOffline(true)
  await show(page, 'clock').catch(() => {})
  await check('a server that is away is named', () => seen(page, 'does not answer'))
  await context.setOffline(false)
  await check('and so is one that is back', () => page.locator('h1', { hasText: 'Clock' }).waitFor())
  await check('without a reload', () => page.evaluate(() => window.marker === 1))
  await context.close()
}

// --- under every name of the server -------------------------------------------------------------------------------------

for (const name of ['localhost', '127.0.0.1']) {
  const server = url.replace('//localhost', `//${name}`)
  await session(`as ${name}`, { viewport: WIDE }, async (page) => {
    await show(page, 'faults')
    await check(`as ${name}, a button does what it says`, async () => {
      await press(page, 'button', 'Set: Broken connection')
      await page.locator('tr', { hasText: 'reset' }).waitFor()
      await press(page, 'button', /^End reset/)
      await page.locator('tr', { hasText: 'reset' }).waitFor({ state: 'detached' })
    })
  }, { server })
}

// --- a day's work, by keyboard ------------------------------------------------------------------------------------------

await session('work', { viewport: WIDE, reducedMotion: 'reduce' }, async (page) => {
  await page.evaluate(() => { window.marker = 1 })
  await check('nothing moves that need not', () => page.evaluate(() => getComputedStyle(document.getElementById('view')).transitionDuration === '0s'))
  await check('from the overview to the reason', async () => {
    await press(page, 'link', rejected)
    await seen(page, 'The URL serves other bytes')
    await seen(page, 'What to do:')
  })
  await check('the heading has the focus then', () => page.locator('h1:focus').waitFor())
  await check('the title says where', async () => (await page.title()).startsWith(rejected))
  await check('expected stands above found', async () => {
    const [expected, found] = await Promise.all(['Expected', 'Found'].map((word) => page.locator('.why', { hasText: 'other bytes' }).first().locator('dt', { hasText: word }).boundingBox()))
    return expected.x === found.x && expected.y < found.y
  })

  await press(page, 'link', /^Manifests/)
  await page.locator('h1', { hasText: 'Manifests' }).waitFor()
  await page.getByRole('link', { name: rejected }).focus()
  await check('a manifest that is published appears', async () => {
    await api('/v1/content/manifests', { method: 'POST', body: JSON.stringify(manifest) })
    await page.getByRole('link', { name: manifest.manifestId }).waitFor()
  })
  await check('without a reload', () => page.evaluate(() => window.marker === 1))
  await check('and without taking the focus away', async () => (await page.locator(':focus').textContent()) === rejected)

  await press(page, 'link', /^Requests/)
  await page.locator('h1', { hasText: 'Requests' }).waitFor()
  await check('a request appears with what it caused', async () => {
    await api('/v1/content/manifests', { method: 'POST', body: JSON.stringify({ ...manifest, manifestId: 'caused' }) })
    await page.locator('tr', { hasText: 'POST /v1/content/manifests' }).first().getByRole('link', { name: 'caused' }).waitFor()
  })

  await press(page, 'link', /^Deliveries/)
  await check('the clock shows what it shows', () => page.locator('#clock', { hasText: '17:03:20' }).waitFor())
  await show(page, `deliveries?id=${openDelivery}`)
  await page.locator('summary').first().focus()
  await page.keyboard.press('Enter')
  await check('what was signed can be read', () => page.locator('pre', { hasText: '"type":"reinmaker.content.requested"' }).first().waitFor())
  await check('six hours of retries pass', async () => {
    await press(page, 'button', '+8 h, advance the clock')
    await page.locator('.lead', { hasText: 'dead' }).waitFor()
    await page.locator('.attempts > li').nth(5).waitFor()
  })
  await check('what was unfolded stays so', () => page.locator('details[open]').first().waitFor())
  await check('the clock has moved', () => page.locator('#clock', { hasText: '2027-01-12 01:03:20' }).waitFor())

  await press(page, 'link', /^Dead letters/)
  await page.locator('h1', { hasText: 'Dead letters' }).waitFor()
  await check('one is redriven', async () => {
    await press(page, 'button', `Redrive reinmaker.entitlement.updated, ${deadDelivery}`)
    await page.locator(`#x-${deadDelivery}`).waitFor({ state: 'detached' })
    await seen(page, 'Redriven.')
  })
  await check('the focus is on something', async () => { await page.locator('h1:focus').waitFor() })
  await check('then all', async () => {
    await press(page, 'button', 'Redrive all')
    await seen(page, 'No dead letters.')
  })
  await show(page, `deliveries?id=${deadDelivery}`)
  await check('it has arrived', () => page.locator('.lead', { hasText: 'delivered' }).waitFor())

  await press(page, 'link', /^Faults/)
  await check('a common fault is set', async () => {
    await press(page, 'button', 'Set: Broken connection')
    await page.locator('tr', { hasText: 'reset' }).waitFor()
  })
  await check('it is ended', async () => {
    await press(page, 'button', /^End reset/)
    await page.locator('tr', { hasText: 'reset' }).waitFor({ state: 'detached' })
  })
  await check('any fault is set, and strikes', async () => {
    await page.getByLabel('What goes wrong').selectOption('failure')
    await page.getByLabel('Operation').selectOption('getHealth')
    await page.getByLabel('How often').fill('2')
    await page.keyboard.press('Enter')
    const row = page.locator('tr', { hasText: 'getHealth' })
    await row.waitFor()
    if ((await api('/v1/health')).status !== 500) throw new Error('it did not strike')
    await row.locator('td[data-label=Struck]', { hasText: '1' }).waitFor()
  })
  await check('a wrong value is told', async () => {
    await page.getByLabel('How often').fill('2')
    await page.getByLabel('How often').evaluate((one) => { one.value = '1.5'; one.form.noValidate = true })
    await page.getByLabel('How often').press('Enter')
    await page.locator('#notice.bad', { hasText: 'times is a whole number' }).waitFor()
  })

  await press(page, 'link', 'Limits')
  await check('a limit is set', async () => {
    await page.getByLabel(/^Limit of default/).fill('777')
    await page.keyboard.press('Enter')
    await page.locator('td[data-label=Limit]', { hasText: '777' }).waitFor()
  })
  await press(page, 'link', 'Clock')
  await check('the clock is set', async () => {
    await page.getByLabel('To', { exact: true }).fill('2027-02-01T07:00:00Z')
    await page.keyboard.press('Enter')
    await page.locator('#clock', { hasText: '2027-02-01 07:00:00' }).waitFor()
  })
  await check('and not back', async () => {
    await page.getByLabel('To', { exact: true }).fill('2027-01-01T07:00:00Z')
    await page.keyboard.press('Enter')
    await page.locator('#notice.bad', { hasText: 'forward only' }).waitFor()
  })
}, { refused: 2 })

// --- what was sent does nothing -----------------------------------------------------------------------------------------

process.env.CONTROL_TOKEN = hostile.controlToken
await session('hostile', { viewport: WIDE }, async (page) => {
  let text = ''
  const views = [...VIEWS, 'manifests?id=hostile', ...hostile.deliveries.map((id) => `deliveries?id=${id}`), ...attacks.map((one) => `requests?trace=${encodeURIComponent(one)}`)]
  for (const view of views) {
    await page.evaluate((place) => { location.hash = `#/${place}` }, view)
    await page.locator(`#view[data-place="${CSS(view)}"]`).waitFor()
    text += await page.locator('#view').textContent()
    await check(`hostile, ${view}: nothing of it is an element`, () => page.evaluate(() =>
      document.querySelectorAll('script, img, iframe, object, style, [onload], [onerror], [onclick], a[href^="javascript"]').length === 1 && !document.documentElement.dataset.hacked))
    for (const more of await page.locator('summary').all()) await more.click()
  }
  for (const attack of attacks) await check(`it is shown as text: ${attack}`, () => text.includes(attack))
}, { server: hostile.url })

function CSS(text) {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
}

await browser.close()
console.log(JSON.stringify({ checks, failures }))
