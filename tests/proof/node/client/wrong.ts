// Must not compile: each statement asks for something that the document does not have. 6 errors, one a statement.
import createClient from 'openapi-fetch'
import type { components, paths } from './schema.js'

const api = createClient<paths>({ baseUrl: 'http://localhost:7040' })
await api.GET('/v1/content/manifest')
await api.POST('/v1/entitlements/{userId}', { params: { path: { userId: 'usr_1' } } })
await api.GET('/v1/content/manifests/{manifestId}', { params: { path: { id: 'water-cycle' } } })
await api.POST('/v1/telemetry/events', { body: { events: [{ type: 'phase.completed' }] } })
const status: components['schemas']['Status'] = 'published'
const count: string = (await api.GET('/v1/content/manifests')).data!.items.length
export { count, status }
