// Publishes with openapi-fetch and the types that openapi-typescript made. Prints JSON: what it checked.
import createClient from 'openapi-fetch'
import type { components, paths } from './schema.js'

type Manifest = components['schemas']['Manifest']
type Submission = components['schemas']['Submission']

const [url, clientId, secret, user] = process.argv.slice(2) as [string, string, string, string]
const checked: string[] = []

function holds(what: string, isTrue: boolean): void {
  if (!isTrue) throw new Error(`not so: ${what}`)
  checked.push(what)
}

const anybody = createClient<paths>({ baseUrl: url })
const form = { grant_type: 'client_credentials', client_id: clientId } as const
const encoded = {
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  bodySerializer: (body: Record<string, string>) => new URLSearchParams(body).toString(),
}
const refused = await anybody.POST('/oauth/token', { body: { ...form, client_secret: 'wrong' }, ...encoded })
holds('a wrong secret is an error', refused.error !== undefined && 'error' in refused.error && refused.error.error === 'invalid_client')
const granted = await anybody.POST('/oauth/token', { body: { ...form, client_secret: secret }, ...encoded })
holds('a token', granted.data?.expires_in === 900)

const api = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${granted.data?.access_token}` } })
const manifestId = `2026-11-23-typescript-${crypto.randomUUID()}`
const manifest: Manifest = {
  manifestId,
  version: '2026.11.23',
  product: 'reinmaker',
  source: { phaseDNAId: 'water-cycle', locale: 'en-US', agePersona: '2-5' },
  assets: [{ id: 'a', type: 'fx', url: `s3://bucket/${manifestId}/a.png`, hash: '0'.repeat(64), bytes: 3 }],
}
const sent = await api.POST('/v1/content/manifests', { body: manifest, params: { header: { Prefer: 'wait=20' } } })
const submission: Submission | undefined = sent.data
holds('submitted', sent.response.status === 200 && submission !== undefined)
holds('active', submission?.status === 'active' && submission.active?.version === '2026.11.23')
holds('nothing wrong', submission?.validation.errorCount === 0)
const read = await api.GET('/v1/content/manifests/{manifestId}', {
  params: { path: { manifestId }, query: { include: 'manifest' } },
})
holds('read back as it was sent', JSON.stringify(read.data?.manifest) === JSON.stringify(manifest))
const page = await api.GET('/v1/content/manifests', { params: { query: { limit: 1 } } })
holds('a page', page.data?.items.length === 1)
const missing = await api.GET('/v1/content/manifests/{manifestId}', { params: { path: { manifestId: 'nobody-sent-this' } } })
holds('a problem', missing.error?.code === 'manifest-not-found' && missing.error.status === missing.response.status)
const found = await api.GET('/v1/entitlements/{userId}', { params: { path: { userId: user } } })
holds('entitlements', found.data?.entitlements[0]?.status === 'active')
const taken = await api.POST('/v1/telemetry/events', {
  body: { events: [{ eventId: crypto.randomUUID(), type: 'phase.completed', occurredAt: '2026-11-23T07:00:00Z' }] },
})
holds('events', taken.data?.accepted === 1)
const nobody = await anybody.GET('/v1/content/manifests')
holds('no token', nobody.error?.code === 'token-missing')
console.log(JSON.stringify(checked))
