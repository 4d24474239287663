// A real browser looks at /docs: what is shown, and whether anything is asked of another server. Prints JSON.
import { chromium } from 'playwright-core'
import { OFFLINE, watch } from './browser.mjs'

const [url] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: OFFLINE })
const found = { operations: {}, foreign: [], failed: [], complaints: [] }
try {
  const page = await browser.newPage()
  watch(page, url, found)
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
