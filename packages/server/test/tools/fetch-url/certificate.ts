/** A throw-away certificate for `secure.test`, signed by itself, and its key: secret to nobody, good for nothing else. */
export const CERTIFICATE = `
-----BEGIN CERTIFICATE-----
MIIBZjCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtzZWN1cmUu
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLc2VjdXJlLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATGjOIykjCb
OR8fBVkeB34IJ0A4Bt2MMl0nT/bCs5x5spfnOAz1vhPuS/fcMnoaje+pKMQckIbt
bQd1gZAmBWGio0owSDAWBgNVHREEDzANggtzZWN1cmUudGVzdDAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBQy4FapM4Uqs/RP/ASWQzboLhMZiDAKBggqhkjOPQQD
AgNHADBEAiBupERSvN2xspxYASt9mzpIDJNiPgqMj6GahJr4LMaWqAIgZ8Hdzcvo
KcPnlSqyTkp7Jj5ocOchaiCWsCdmMw/7Jao=
-----END CERTIFICATE-----
`;

export const KEY = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrBxYTdjUwo5IP+l+
n7PfdSzcnV0B65W3mXbo9YGxjvWhRANCAATGjOIykjCbOR8fBVkeB34IJ0A4Bt2M
Ml0nT/bCs5x5spfnOAz1vhPuS/fcMnoaje+pKMQckIbtbQd1gZAmBWGi
-----END PRIVATE KEY-----
`;
