// The inspector: asks the server for views, which are HTML, keeps the one that is shown up to date, and sends its forms.

const KEY = 'reinmaker.controlToken'
const WAIT_S = 25 // for news; the server waits that long before it says that there is none
const AGAIN_MS = 2000 // after the server did not answer
const MOST_A_SECOND = 4 // renewals of what is shown, however much happens
const UNITS_S = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }
const at = (id) => document.getElementById(id)

// The one place where text becomes elements. The server has escaped it, and the policy of the page runs nothing in it.
const policy = globalThis.trustedTypes?.createPolicy('inspector', { createHTML: (text) => text })
const elementsOf = (text) =>
  new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, 'text/html').body.firstElementChild

let shown = null // the view whose news are waited for: { place, stop, etag }

// --- where we are ----------------------------------------------------------------------------------------------------

function place() {
  const hash = location.hash
  if (hash.startsWith('#token=')) {
    sessionStorage.setItem(KEY, decodeURIComponent(hash.slice(7)))
    history.replaceState(null, '', '#/overview')
  }
  return location.hash.startsWith('#/') ? location.hash.slice(2) : 'overview'
}

async function go() {
  shown?.stop.abort()
  shown = { place: place(), stop: new AbortController(), etag: '' }
  const mine = shown
  if (!sessionStorage.getItem(KEY)) return askForToken('')
  while (mine === shown) {
    const began = performance.now()
    await renew(mine)
    const rest = 1000 / MOST_A_SECOND - (performance.now() - began)
    await new Promise((done) => setTimeout(done, Math.max(0, rest)))
  }
}

async function renew(mine) {
  const headers = mine.etag ? { 'If-None-Match': mine.etag, Prefer: `wait=${WAIT_S}` } : {}
  let answer, text
  try {
    answer = await ask('GET', `/_local/inspector/${mine.place}`, { headers, signal: mine.stop.signal })
    text = await answer.text()
  } catch {
    if (mine !== shown) return
    document.body.classList.add('away')
    say('The server does not answer. Start it again: reinmaker serve', true)
    return new Promise((done) => setTimeout(done, AGAIN_MS))
  }
  if (mine !== shown) return
  if (document.body.classList.contains('away')) {
    document.body.classList.remove('away')
    say('The server answers again.')
  }
  if (answer.status === 304) return
  if (answer.status === 403) return askForToken('The server does not take this control token: it is another server’s, or an old one.')
  if (!answer.ok) return fail(answer, text, mine)
  const isNew = !mine.etag
  mine.etag = answer.headers.get('ETag')
  put(elementsOf(text), isNew)
}

function fail(answer, text, mine) {
  say(problem(answer, text), true)
  mine.stop.abort()
  shown = null
  if (answer.status === 404) location.hash = '#/overview'
}

function put(wanted, isNew) {
  const from = at('view').dataset.place
  if (isNew) at('view').replaceWith(wanted)
  else bring(at('view'), wanted)
  at('view').dataset.place = shown.place
  at('token').hidden = true
  document.title = `${at('view').dataset.title} – Reinmaker, local`
  tick()
  if (isNew) {
    at('view').querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
    if (from !== undefined && from !== shown.place) at('heading').focus()
  }
}

// Bring an element to what it is wanted to be, and leave alone what is the same: focus, selection, what is typed and
// unfolded stay. Children with an id are found again by it.
function bring(now, wanted) {
  for (const { name } of [...now.attributes]) {
    if (!wanted.hasAttribute(name) && name !== 'open' && name !== 'data-place') now.removeAttribute(name)
  }
  for (const { name, value } of wanted.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value)
  if (now.dataset?.clock !== undefined || now.dataset?.until !== undefined) return
  let next = now.firstChild
  for (const child of [...wanted.childNodes]) {
    const same = child.id
      ? [...now.children].find((one) => one.id === child.id)
      : next && !next.id && next.nodeName === child.nodeName && next
    if (!same) now.insertBefore(child, next)
    else {
      if (same === next) next = next.nextSibling
      else now.insertBefore(same, next)
      if (same.nodeType === Node.ELEMENT_NODE) bring(same, child)
      else if (same.data !== child.data) same.data = child.data
    }
  }
  while (next) {
    const gone = next
    next = next.nextSibling
    gone.remove()
  }
}

// --- talking to the server -------------------------------------------------------------------------------------------

function ask(method, path, more = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}`, ...more.headers }
  return fetch(path, { ...more, method, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' })
}

function problem(answer, text) {
  try {
    const { title, detail } = JSON.parse(text)
    return `${title}: ${detail}`
  } catch {
    return `The server answers ${answer.status}.`
  }
}

function say(text, isBad = false) {
  at('notice').textContent = text
  at('notice').classList.toggle('bad', isBad)
}

function askForToken(why) {
  shown?.stop.abort()
  shown = null
  sessionStorage.removeItem(KEY)
  at('view').replaceChildren()
  at('token').hidden = false
  document.title = 'Reinmaker, local'
  say(why, true)
}

// --- forms -----------------------------------------------------------------------------------------------------------

const READ = {
  json: (text) => JSON.parse(text),
  duration: (text) => [...text.matchAll(/(\d+)([smhdw])/g)].reduce((sum, [, count, unit]) => sum + count * UNITS_S[unit], 0),
}

function bodyOf(form, submitter) {
  const body = {}
  for (const one of [...form.elements].filter((one) => one.name && (one.type !== 'submit' || one === submitter))) {
    if (one.value === '') continue
    const [name, inner] = one.name.split('.')
    const value = (READ[one.dataset.as] ?? String)(one.value)
    if (inner) (body[name] ??= {})[inner] = value
    else body[name] = value
  }
  return body
}

async function send(form, submitter) {
  const [method, path] = form.dataset.send.split(' ')
  const body = method === 'DELETE' ? undefined : JSON.stringify(bodyOf(form, submitter))
  form.setAttribute('aria-busy', 'true')
  try {
    const answer = await ask(method, path, { body, headers: body && { 'Content-Type': 'application/json' } })
    const text = await answer.text()
    if (answer.ok) say(`${form.dataset.done}.`)
    else say(problem(answer, text), true)
  } catch {
    say('The server does not answer. Start it again: reinmaker serve', true)
  } finally {
    form.removeAttribute('aria-busy')
  }
  // What was pressed may have gone with its row; whoever works by keyboard goes on from the heading.
  setTimeout(() => document.activeElement === document.body && at('heading')?.focus(), 600)
}

document.addEventListener('submit', (event) => {
  event.preventDefault()
  if (event.target === at('token')) {
    sessionStorage.setItem(KEY, event.target.elements.token.value.trim())
    event.target.reset()
    say('')
    go()
  } else send(event.target, event.submitter)
})

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (button) {
    await navigator.clipboard.writeText(button.dataset.copy)
    say('Copied.')
  }
  if (event.target.closest('.skip')) {
    event.preventDefault()
    at('heading')?.focus()
  }
})

// --- the server's clock ----------------------------------------------------------------------------------------------

function distance(seconds) {
  const parts = []
  let rest = Math.round(Math.abs(seconds))
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]]) {
    if (Math.floor(rest / length)) parts.push(`${Math.floor(rest / length)} ${unit}`)
    rest %= length
  }
  const words = parts.slice(0, 2).join(' ')
  return !words ? 'now' : seconds < 0 ? `${words} ago` : `in ${words}`
}

function tick() {
  const { mode, now, ahead } = at('view').dataset
  if (!mode) return
  const unix = mode === 'virtual' ? Number(now) : Date.now() / 1000 + Number(ahead)
  const text = new Date(unix * 1000).toISOString()
  for (const one of document.querySelectorAll('[data-clock]')) {
    const words = `${text.slice(0, 10)} ${text.slice(11, 19)}`
    if (one.textContent !== words) one.textContent = words
    one.dateTime = text
  }
  for (const one of document.querySelectorAll('[data-until]')) {
    const words = distance(Number(one.dataset.until) - unix)
    if (one.textContent !== words) one.textContent = words
  }
}

addEventListener('hashchange', () => {
  say('')
  go()
})
setInterval(tick, 1000)
go()
