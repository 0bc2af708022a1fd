"""The page where the documents lie in a bucket, on another origin."""

import hashlib

from playwright.sync_api import Browser, expect

from tests.browser import demo_page
from tests.browser.demo_process import running_demo
from tests.browser.visitor import Visitor
from tests.servers.s3 import S3Bucket


def test_a_document_in_a_bucket_is_opened_by_its_link(
    browser: Browser, framework: str, s3_bucket: S3Bucket
) -> None:
    """A bucket lets no page read it, and the policy would not; whoever opens the link gets the file."""
    settings = {
        "s3_bucket": s3_bucket.bucket,
        "s3_endpoint_url": s3_bucket.endpoint_url,
        "s3_region": s3_bucket.region,
        "s3_access_key_id": s3_bucket.access_key,
        "s3_secret_access_key": s3_bucket.secret_key,
    }
    with running_demo(framework, **settings) as demo:
        visitor = Visitor(browser, demo)
        page = visitor.open()
        demo_page.ask(page, "John Smith")
        expect(demo_page.status(page)).to_contain_text("Complete. The document can be downloaded.")

        with page.expect_download() as download:
            page.get_by_role("link", name="Download the PDF").click()

        content = download.value.path().read_bytes()
        assert hashlib.sha256(content).hexdigest() == demo.job(demo_page.job_id(page))["sha256"]
        visitor.addresses = [url for url in visitor.addresses if not url.startswith(s3_bucket.endpoint_url)]
        visitor.leave()
