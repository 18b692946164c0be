<?php
$config = [
    'center' => [
        'saml:SP',
        'entityID' => null,
        'idp' => getenv('SP_IDP'),
        'privatekey' => 'key.pem',
        'certificate' => 'cert.pem',
        'sign.authnrequest' => getenv('SP_SIGNS') === 'yes',
        'NameIDPolicy' => ['Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress', 'AllowCreate' => true],
    ],
];
