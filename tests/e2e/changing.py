"""Changes of all three kinds for a server that will be broken, and what it acknowledged of them."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path

import httpx

from tests.server.live import event


class Load:
    """Changes of all three kinds, as fast as the server takes them; what was acknowledged is remembered."""

    def __init__(self):
        self.acknowledged = set()
        """What the webhook of each change says of it: user id, batch id, or the event's own id."""
        self._news = threading.Condition()

    def acknowledge(self, what):
        with self._news:
            self.acknowledged.add(what)
            self._news.notify_all()

    def wait_for(self, more):
        """Return when so many more changes than before are acknowledged."""
        with self._news:
            before = len(self.acknowledged)
            assert self._news.wait_for(lambda: len(self.acknowledged) >= before + more, 120)

    def run(self, server, until):
        """Send changes until told to stop or the server is gone."""
        client = json.loads((Path(server.ready["data"]) / "client.json").read_text())
        http = httpx.Client(base_url=server.url, trust_env=False, verify=False, timeout=120)
        with http:
            try:
                secret = (client["clientId"], client["clientSecret"])
                token = http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=secret).json()
                assert "access_token" in token, token
                access = {"Authorization": "Bearer " + token["access_token"]}
                control = {"Authorization": "Bearer " + client["controlToken"]}
                while not until.is_set():
                    self._change(http, access, control)
            except httpx.TransportError:
                return  # killed

    def _change(self, http, access, control):
        user_id = f"usr_{uuid.uuid4()}"
        given = {"userId": user_id, "plan": "reinmaker.game_pass"}
        if http.put("/_local/entitlements", json=given, headers=control).status_code == 200:
            self.acknowledge(user_id)
        batch = http.post("/v1/telemetry/events", json={"events": [event()]}, headers=access)
        if batch.status_code == 202:
            self.acknowledge(batch.json()["batchId"])
        wanted = {"phaseDNAId": "water-cycle", "locale": "fr-FR", "agePersona": "6-12"}
        caused = http.post("/_local/request-content", json=wanted, headers=control)
        if caused.status_code == 202:
            self.acknowledge(caused.json()["eventId"])
