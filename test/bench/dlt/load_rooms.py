"""Loads the rooms with dlt's REST source, merged into PostgreSQL; prints what it cost as JSON.

Told on its standard input, as JSON: databaseUrl, endpoint, credentials, roomIds, pipelinesDir.
"""

import hashlib
import hmac
import json
import os
import resource
import sys
import time
from datetime import datetime, timezone

# Nothing is to be told to anybody, and progress is not wanted.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.common.configuration import configspec
from dlt.sources.helpers.rest_client.auth import AuthConfigBase
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from dlt.sources.rest_api import rest_api_source

PAGE_LIMIT = 1000


@configspec
class Tc3Auth(AuthConfigBase):
    """Signs requests by TC3-HMAC-SHA256."""

    secret_id: str = None
    secret_key: str = None
    host: str = None

    def __call__(self, request):
        timestamp = int(time.time())
        date = datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%d")
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        headers = f"content-type:application/json\nhost:{self.host}\n"
        canonical = "\n".join(["POST", "/", "", headers, "content-type;host", hashlib.sha256(body).hexdigest()])
        scope = f"{date}/lcic/tc3_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join(["TC3-HMAC-SHA256", str(timestamp), scope, digest])
        key = f"TC3{self.secret_key}".encode()
        for part in (date, "lcic", "tc3_request", to_sign):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        request.headers.update(
            {
                "Authorization": f"TC3-HMAC-SHA256 Credential={self.secret_id}/{scope}, "
                f"SignedHeaders=content-type;host, Signature={key.hex()}",
                "Content-Type": "application/json",
                "X-TC-Action": "DescribeRoomStatistics",
                "X-TC-Version": "2022-08-17",
                "X-TC-Timestamp": str(timestamp),
            }
        )
        return request


class TotalPaginator(PageNumberPaginator):
    """By page numbers, until there are as many records as the answer announces."""

    def __init__(self):
        super().__init__(base_page=1, page_body_path="Page", total_path=None, stop_after_empty_page=True)

    def update_state(self, response, data=None):
        super().update_state(response, data)
        if (self.current_value - 1) * PAGE_LIMIT >= response.json()["Response"]["Total"]:
            self._has_next_page = False


def main():
    task = json.load(sys.stdin)
    endpoint, credentials = task["endpoint"], task["credentials"]
    host = endpoint.split("//", 1)[1].rstrip("/")
    source = rest_api_source(
        {
            "client": {
                "base_url": endpoint,
                "auth": Tc3Auth(credentials["secretId"], credentials["secretKey"], host),
            },
            "resources": [
                # One page of rooms.
                dlt.resource([[{"room_id": int(room_id)} for room_id in task["roomIds"]]], name="rooms", selected=False),
                {
                    "name": "member_records",
                    "write_disposition": "merge",
                    "primary_key": ["_rooms_room_id", "UserId"],
                    "include_from_parent": ["room_id"],
                    "max_table_nesting": 0,
                    "endpoint": {
                        "path": "/",
                        "method": "POST",
                        "json": {"RoomId": "{resources.rooms.room_id}", "Page": 1, "Limit": PAGE_LIMIT},
                        "data_selector": "Response.MemberRecords",
                        "paginator": TotalPaginator(),
                    },
                },
            ],
        }
    )
    pipeline = dlt.pipeline(
        "lcic",
        destination=dlt.destinations.postgres(task["databaseUrl"]),
        dataset_name="dlt",
        pipelines_dir=task["pipelinesDir"],
    )
    cpu_before = cpu_seconds()
    begin = time.perf_counter()
    pipeline.run(source)
    wall = time.perf_counter() - begin
    rows = pipeline.last_trace.last_normalize_info.row_counts["member_records"]
    cost = {
        "rows": rows,
        "wallMs": wall * 1000,
        "cpuMs": (cpu_seconds() - cpu_before) * 1000,
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    print(json.dumps(cost))


def cpu_seconds():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


main()
