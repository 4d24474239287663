// oauth4webapi as a client: discovery, both ways of authentication, the token as RFC 9068. Prints JSON: what it checked.
import * as oauth from 'oauth4webapi'

const [url, clientId, secret, known] = process.argv.slice(2)
const checked = []

const issuer = new URL(url)
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
const server = await oauth.processDiscoveryResponse(issuer, found)
checked.push('discovery')

const client = { client_id: clientId }
let token
for (const [name, way] of [['Basic', oauth.ClientSecretBasic(secret)], ['body', oauth.ClientSecretPost(secret)]]) {
  const answer = await oauth.clientCredentialsGrantRequest(
    server, client, way, new URLSearchParams({ scope: 'reinmaker.content.write' }))
  if (answer.headers.get('cache-control') !== 'no-store') throw new Error(`${name}: a token that caches may keep`)
  token = await oauth.processClientCredentialsResponse(server, client, answer)
  checked.push(`${name}: token`, `${name}: no-store`)
  const used = await oauth.protectedResourceRequest(token.access_token, 'GET', new URL(known, url))
  if (used.status !== 200) throw new Error(`${name}: the token is not taken, ${used.status}`)
  checked.push(`${name}: used`)
}

// The token as a resource server written with oauth4webapi reads it: signature, claims, type.
const audience = JSON.parse(Buffer.from(token.access_token.split('.')[1], 'base64url')).aud
const request = new Request(new URL(known, url), { headers: { authorization: `Bearer ${token.access_token}` } })
await oauth.validateJwtAccessToken(server, request, audience)
checked.push('the token is one of RFC 9068')

const refused = await oauth.clientCredentialsGrantRequest(
  server, client, oauth.ClientSecretBasic('wrong'), new URLSearchParams())
try {
  await oauth.processClientCredentialsResponse(server, client, refused)
  throw new Error('a wrong secret is taken')
} catch (error) {
  if (!(error instanceof oauth.WWWAuthenticateChallengeError || error instanceof oauth.ResponseBodyError)) throw error
  checked.push('a wrong secret is refused as the RFC says')
}

const bad = await fetch(new URL(known, url), { headers: { authorization: 'Bearer junk' } })
const challenge = bad.headers.get('www-authenticate')
if (challenge !== 'Bearer error="invalid_token"') throw new Error(`challenge: ${challenge}`)
checked.push('a challenge')
console.log(JSON.stringify(checked))
