<?php
$config = [
    'idp' => [
        'saml:SP',
        'entityID' => null,
        'idp' => getenv('SP_IDP'),
        'privatekey' => 'key.pem',
        'certificate' => 'cert.pem',
        'sign.authnrequest' => getenv('SP_SIGNS') === 'true',
        'sign.logout' => getenv('SP_SIGNS') === 'true',
        'validate.logout' => true,
        'redirect.validate' => true,
        'assertion.encryption' => getenv('SP_ENCRYPTED') === 'true',
        'NameIDPolicy' => ['Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress', 'AllowCreate' => true],
    ],
];
