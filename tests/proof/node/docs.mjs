// A real browser looks at /docs: what is shown, and whether anything is asked of another server. Prints JSON.
import { chromium } from 'playwright-core'

const [url] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })
const found = { operations: {}, foreign: [], failed: [], complaints: [] }
try {
  const page = await browser.newPage()
  page.on('request', (one) => {
    const asked = new URL(one.url())
    if (asked.protocol !== 'data:' && asked.origin !== new URL(url).origin) found.foreign.push(one.url())
  })
  page.on('requestfailed', (one) => found.failed.push(one.url()))
  page.on('console', (one) => one.type() === 'error' && found.complaints.push(one.text()))
  page.on('pageerror', (error) => found.complaints.push(String(error)))
  for (const path of ['/docs', '/docs?control']) {
    await page.goto(url + path)
    await page.waitForSelector('.opblock')
    found.operations[path] = await page.locator('.opblock').count()
    await page.locator('.opblock-summary').first().click()
    await page.waitForSelector('.opblock-body')
  }
} finally {
  await browser.close()
}
console.log(JSON.stringify(found))
