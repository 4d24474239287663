// Takes pictures of the inspector's views: node pictures.mjs URL FOLDER PICTURE…, the control token in CONTROL_TOKEN.
// A picture is NAME=SCHEME:WIDTHxHEIGHT:VIEW
import { chromium } from 'playwright-core'
import { OFFLINE, open } from './browser.mjs'

const [url, folder, ...pictures] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: OFFLINE })
try {
  for (const picture of pictures) {
    const [, name, colorScheme, width, height, view] = /^(.+?)=(\w+):(\d+)x(\d+):(.*)$/.exec(picture)
    const viewport = { width: Number(width), height: Number(height) }
    const { page, context } = await open(browser, url, { colorScheme, viewport, reducedMotion: 'reduce' }, view)
    for (const more of await page.locator('details').all()) await more.evaluate((one) => one.open = false)
    await page.locator('details').first().evaluate((one) => (one.open = true), null, { timeout: 300 }).catch(() => {})
    await page.screenshot({ path: `${folder}/${name}.png`, animations: 'disabled' })
    await context.close()
  }
} finally {
  await browser.close()
}
