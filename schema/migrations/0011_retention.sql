-- Whether a bundle may go: who is served it, and whose it was until when.
CREATE INDEX repository_bundle ON repository (bundle_sha256);
CREATE INDEX publication_bundle ON publication (bundle_sha256);
CREATE INDEX pending_bundle ON pending (bundle_sha256);
