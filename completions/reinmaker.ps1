# Completion of reinmaker for powershell; written by `reinmaker completion powershell`.
# Load it with: reinmaker completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName reinmaker -ScriptBlock {
  param($current, $ast, $position)
  $words = @{
    '' = @('init', 'scan', 'build', 'check', 'diff', 'publish', 'rehearse', 'status', 'list', 'verify', 'auth', 'entitlements', 'telemetry', 'serve', 'local', 'health', 'config', 'doctor', 'explain', 'spec', 'completion')
    'auth' = @('login', 'status', 'token', 'rotate', 'logout')
    'config' = @('show', 'path')
    'local' = @('clock', 'client', 'decide', 'entitlement', 'forget')
    'telemetry' = @('send', 'check')
    'spec' = @('openapi', 'schema')
    'init' = @('--ignore-leftovers', '--force', '--dry-run', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'scan' = @('--ignored', '--no-probe', '--allow', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'build' = @('-o', '--output', '--copy-plan', '--only', '--allow', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'check' = @('--online', '--only', '--allow', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'diff' = @('--against', '--only', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--timeout', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'publish' = @('--root', '--only', '--allow', '--dry-run', '--no-wait', '--yes', '--receipt', '--keep-going', '--as-new-version', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--timeout', '--deadline', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'rehearse' = @('--root', '--only', '--allow', '--receipt', '--keep-going', '--as-new-version', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--timeout', '--deadline', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'status' = @('--wait', '--only', '--id', '--product', '--phase-dna', '--locale', '--persona', '--base-url', '-e', '--env', '--data', '--jobs', '--timeout', '--deadline', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'list' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'verify' = @('--root', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth login' = @('--client-id', '--secret-stdin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth status' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth token' = @('--scope', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth rotate' = @('--secret-stdin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'auth logout' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'entitlements' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--help')
    'telemetry send' = @('--allow', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--timeout', '--deadline', '--help')
    'telemetry check' = @('--allow', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'serve' = @('--host', '--port', '--ephemeral', '--map', '--verify', '--validation', '--clock', '--limits', '--allow-host', '--tls', '--behind-proxy', '--public-url', '--control-port', '--allow-origin', '--log', '--data', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local clock' = @('show', 'set', 'advance', 'follow', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local client' = @('list', 'add', 'rotate', 'limit', '--name', '--scope', '--limit', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local decide' = @('--reason', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local entitlement' = @('list', 'add', 'revoke', '--plan', '--expires-at', '--feature', '--region', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'local forget' = @('-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'health' = @('-e', '--env', '--data', '--trace', '--ca-file', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'config show' = @('--origin', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--jobs', '--timeout', '--deadline', '--help')
    'config path' = @('--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--data', '--help')
    'doctor' = @('--online', '-e', '--env', '--data', '--trace', '--ca-file', '--no-input', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--config', '--help')
    'explain' = @('lfs-pointer', 'empty-file', 'file-changed', 'magic-mismatch', 'unreadable', 'special-file', 'link-outside-root', 'case-collision', 'unicode-collision', 'unportable-name', 'unmatched-file', 'ambiguous-match', 'broken-sidecar', 'coverage-gap', 'unknown-capture', 'schema-violation', 'manifest-id', 'duplicate-asset-id', 'duplicate-asset-url', 'duplicate-content', 'version-not-a-date', 'no-assets', 'url-not-absolute', 'url-scheme', 'unknown-property', 'not-i-json', 'not-json', 'asset-unreachable', 'asset-bytes', 'asset-hash', 'asset-unverified', 'asset-immutable', 'assets-removed', 'drift', 'event-invalid', 'personal-name', 'personal-email', 'personal-phone', 'personal-birth-date', 'personal-address', 'secret-old', 'secret-in-file', 'not-found', 'method-not-allowed', 'host-not-allowed', 'token-missing', 'token-invalid', 'insufficient-scope', 'control-refused', 'quota-exceeded', 'request-timeout', 'body-too-large', 'media-type-unsupported', 'bad-request', 'manifest-invalid', 'request-invalid', 'too-many-events', 'manifest-not-found', 'webhook-not-found', 'secret-shown', 'next-secret-unfetched', 'version-conflict', 'version-not-newer', 'snapshot-not-found', 'snapshot-exists', 'snapshot-unusable', 'snapshot-failed', 'server-busy', 'server-error', 'usage', 'bug', 'config-invalid', 'config-unreadable', 'config-missing', 'config-exists', 'unknown-environment', 'folder-not-found', 'not-a-folder', 'inside-project', 'folder-empty', 'nothing-selected', 'content-invalid', 'personal-data', 'content-differs', 'receipt-invalid', 'output-failed', 'server-unreachable', 'tls-failed', 'plain-http', 'answer-unusable', 'server-failed', 'out-of-time', 'limited', 'rejected', 'credentials-missing', 'credentials-refused', 'credentials-unbound', 'scope-refused', 'secret-unusable', 'keyring-unavailable', 'keyring-locked', 'discovery-failed', 'python-too-old', 'tls-too-old', 'no-certificates', 'certificate-ended', 'few-descriptors', 'disk-full', 'keyring-ignored', 'variables-ignored', 'unknown-variable', 'file-too-open', 'git-lfs-missing', 'name-unknown', 'clock-skew', 'schema-differs', 'version-differs', 'no-project', 'local-only', 'no-local-server', 'port-taken', 'database-newer', 'database-failed', 'confirmation-needed', 'declined', 'interrupted', 'unknown-code', 'partly-done', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'spec openapi' = @('--control', '-o', '--output', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'spec schema' = @('manifest', 'auth-login', 'auth-logout', 'auth-rotate', 'auth-status', 'auth-token', 'build', 'check', 'config-path', 'config-show', 'diff', 'doctor', 'entitlements', 'error', 'explain', 'health', 'init', 'list', 'local-client', 'local-clock', 'local-decide', 'local-entitlement', 'local-forget', 'publish', 'rehearse', 'scan', 'serve', 'spec-openapi', 'spec-schema', 'status', 'telemetry-check', 'telemetry-send', 'verify', '-o', '--output', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
    'completion' = @('bash', 'zsh', 'fish', 'powershell', '--json', '--events', '-q', '--quiet', '-v', '--verbose', '--color', '--help')
  }
  $values = @{
    '--color' = @('auto', 'always', 'never')
    '-e' = @('local', 'staging', 'production')
    '--env' = @('local', 'staging', 'production')
    '--verify' = @('available', 'strict')
    '--validation' = @('real', 'immediate', 'manual')
    '--clock' = @('wall', 'virtual')
    '--limits' = @('contract', 'off')
    '--log' = @('text', 'json', 'off')
    '--scope' = @('reinmaker.content.write', 'reinmaker.entitlement.read', 'reinmaker.telemetry.write')
    '--plan' = @('reinmaker.game_pass', 'reinmaker.family_pack', 'daily_lesson.standard', 'daily_lesson.enterprise', 'curious_kelly.personal', 'curious_kelly.family')
  }
  $typed = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($current) { $typed = @($typed | Select-Object -SkipLast 1) }
  $verb = ''
  foreach ($word in $typed) {
    $longer = "$verb $word".Trim()
    if ($words.ContainsKey($longer)) { $verb = $longer } else { break }
  }
  $offer = $words[$verb]
  if ($typed.Count -gt 0 -and $values.ContainsKey($typed[-1])) { $offer = $values[$typed[-1]] }
  $offer | Where-Object { $_ -like "$current*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
