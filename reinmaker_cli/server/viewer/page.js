// Shows one of the two documents. Nothing is sent from here: `reinmaker`, or the Postman collection, do that.
const isControl = location.search === '?control'
document.querySelector(`nav a[href="/docs${isControl ? '?control' : ''}"]`).setAttribute('aria-current', 'page')
SwaggerUIBundle({
  url: `/docs/${isControl ? 'control-openapi' : 'openapi'}.json`,
  domNode: document.getElementById('document'),
  supportedSubmitMethods: [],
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'list',
})
